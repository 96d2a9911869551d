//! Any text through the readers of server configuration. The first byte picks the file's name.
#![no_main]

use std::cell::LazyCell;
use std::fs;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use why502::limits;

/// Names that speak for a product.
const NAMES: [&str; 16] = [
    "nginx.conf",
    "haproxy.cfg",
    "httpd.conf",
    "Caddyfile",
    "caddy.json",
    "gunicorn.conf.py",
    "config.yaml",
    "settings.json",
    "envoy.yaml",
    "traefik.toml",
    "squid.conf",
    "default.vcl",
    "application.properties",
    "server.xml",
    "lighttpd.conf",
    "puma.rb",
];

thread_local! {
    static DIR: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().expect("a temporary directory"));
}

fuzz_target!(|data: &[u8]| {
    let Some((&pick, text)) = data.split_first() else {
        return;
    };
    let name = NAMES[usize::from(pick) % NAMES.len()];
    DIR.with(|dir| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("a written file");
        let _ = limits::sniff(&path, text);
        let (configs, problems) = limits::read_all(&[(path.clone(), name.to_owned())]);
        assert!(
            configs.len() <= 1,
            "one file gave {} configurations",
            configs.len()
        );
        assert!(problems.iter().all(|problem| !problem.message.is_empty()));
        fs::remove_file(&path).expect("a removed file");
    });
});
