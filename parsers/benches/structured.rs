//! How fast lines become entries: `cargo bench -p why502-parsers --bench structured`.

#![allow(missing_docs)] // The macros make public functions.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use why502_parsers::engine::json::{self, Keys, Value};
use why502_parsers::{Entry, Head, Line, registry};

const CADDY: &str = r#"{"level":"info","ts":1761019828.6153953,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"172.19.0.1","remote_port":"46628","client_ip":"172.19.0.1","proto":"HTTP/1.1","method":"GET","host":"shop.example.com","uri":"/orders?id=7","headers":{"Accept-Encoding":["gzip, deflate, br, zstd"],"X-Request-Id":["0f8fad5b-d9cb-469f-a165-70867728950e"],"Accept":["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],"Accept-Language":["en-US,en;q=0.5"],"Cookie":["REDACTED"],"User-Agent":["Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"],"Connection":["keep-alive"]}},"bytes_read":0,"user_id":"","duration":0.001674508,"size":4547,"status":200,"resp_headers":{"Etag":["\"ddnp8sh5vg3i58\""],"Server":["Caddy"],"Vary":["Accept-Encoding"]}}"#;
const PINO: &str = r#"{"level":30,"time":1745532517537,"pid":17,"hostname":"7d82d3f28bad","req":{"id":"0f8fad5b-d9cb-469f-a165-70867728950e","method":"GET","url":"/orders?id=7","query":{"id":"7"},"params":{},"headers":{"host":"shop.example.com","x-forwarded-for":"10.0.0.9","user-agent":"Mozilla/5.0 (X11; Linux x86_64)","accept":"*/*"},"remoteAddress":"::ffff:10.0.0.1","remotePort":50110},"res":{"statusCode":200,"headers":{"content-type":"application/json; charset=utf-8","content-length":"512"}},"responseTime":12,"msg":"request completed"}"#;
const IIS: &str = "2026-11-20 18:42:11 10.0.0.4 GET /orders/list.aspx id=7&page=2 443 - 10.0.0.9 Mozilla/5.0+(Windows+NT+10.0;+Win64;+x64)+AppleWebKit/537.36+(KHTML,+like+Gecko)+Chrome/120.0.0.0+Safari/537.36 https://shop.example.com/ 200 0 0 46";
const EDGEMICRO: &str = "2026-11-20T16:40:28.188Z [info][shop.example.com][28386][acme][prod][orders/list?id=7][10.0.0.9][][85bb060e-eaec-407c-9f4e-7e087136dc8a][plugins-middleware][sourceResponse][GET][200][][][32]";

const ALB: &str = r#"https 2026-11-20T16:23:16.376735Z app/shop/c86a326e7dc14222 198.51.100.7:56398 10.0.0.192:80 0.001 0.021 0.000 200 200 125 308 "POST https://shop.example.com:443/cart?id=7 HTTP/1.1" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:eu-central-1:627959692251:targetgroup/shop-targets/8f04c4fe71f5f794 "Root=1-5da09932-2c342a443bfb96249aa50ed7" "shop.example.com" "session-reused" 0 2026-11-20T16:23:16.355000Z "forward" "-" "-" "10.0.0.192:80" "200" "-" "-" TID_1234abcd5678ef90"#;
const CLOUDFRONT: &str = "2026-11-20\t16:23:16\tSEA19-C1\t900\t192.0.2.200\tGET\td111111abcdef8.cloudfront.net\t/favicon.ico\t502\thttp://www.example.com/\tMozilla/5.0%20(Windows%20NT%2010.0;%20Win64;%20x64)\t-\t-\tError\t1pkpNfBQ39sYMnjjUQjmH2w1wdJnbHYTbag21o_3OfcQgPzdL2RSSQ==\twww.example.com\thttp\t675\t0.102\t-\t-\t-\tError\tHTTP/1.1\t-\t-\t25260\t0.102\tOriginDnsError\ttext/html\t507\t-\t-";
const CLOUDFLARE: &str = r#"{"ClientIP":"198.51.100.7","ClientRequestHost":"shop.example.com","ClientRequestMethod":"POST","ClientRequestURI":"/v1/data/ingest","ClientRequestUserAgent":"Go-http-client/2.0","ClientRequestReferer":"","EdgeEndTimestamp":1712790015900000000,"EdgeResponseBytes":128,"EdgeResponseStatus":502,"EdgeStartTimestamp":1712790015600000000,"RayID":"87a1b2c3d4e5f009","CacheCacheStatus":"dynamic","CacheResponseStatus":502,"ClientCountry":"JP","ClientRequestProtocol":"HTTP/2","EdgeColoCode":"NRT","WAFAction":"allow","WAFRuleID":"","OriginResponseStatus":502,"FirewallMatchesActions":[],"FirewallMatchesRuleIDs":[]}"#;
const GCP: &str = r#"{"insertId":"1oek5rg3l3fxj7","jsonPayload":{"@type":"type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry","cacheId":"SFO-fbae48ad","statusDetails":"response_sent_by_backend"},"httpRequest":{"requestMethod":"GET","requestUrl":"http://shop.example.com/static/us/three-cats.jpg","requestSize":"577","status":200,"responseSize":"157","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6)","remoteIp":"198.51.100.7","latency":"0.123s","serverIp":"10.0.0.4"},"resource":{"type":"http_load_balancer","labels":{"zone":"global","url_map_name":"m","forwarding_rule_name":"f","target_proxy_name":"t","backend_service_name":"b","project_id":"p"}},"timestamp":"2026-11-20T16:23:16.078651Z","severity":"INFO","logName":"projects/p/logs/requests","trace":"projects/p/traces/241d69833e64b3bf83fabac8c873d992","receiveTimestamp":"2026-11-20T16:23:16.588272510Z","spanId":"7b6537d3672e08e1"}"#;

/// About a megabyte of copies of `line`.
fn block(line: &str) -> String {
    format!("{line}\n").repeat((1 << 20) / line.len())
}

fn formats(criterion: &mut Criterion) {
    let cases = [
        ("caddy", "caddy", CADDY),
        ("pino", "node-json", PINO),
        ("iis", "iis", IIS),
        ("edgemicro", "edgemicro", EDGEMICRO),
        ("aws-alb", "aws-alb", ALB),
        ("cloudfront", "cloudfront", CLOUDFRONT),
        ("cloudflare", "cloudflare", CLOUDFLARE),
        ("gcp-lb", "gcp-lb", GCP),
    ];
    let mut group = criterion.benchmark_group("parse");
    for (name, format, line) in cases {
        let Some(format) = registry::by_name(format) else {
            continue;
        };
        let text = block(line);
        let head = Head {
            bytes: line.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        let mut parser = format.prepare(&head).open(b"");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut entries = 0;
                for line in why502_parsers::bytes::lines(text.as_bytes()) {
                    let mut entry = Entry::default();
                    let read = parser.parse(line, &mut entry);
                    entries += usize::from(read == Ok(Line::Entry) && black_box(&entry).time.is_some());
                }
                assert_eq!(entries, text.len() / (line.len() + 1));
            });
        });
    }
    group.finish();
}

fn scan(criterion: &mut Criterion) {
    let mut keys = Keys::new();
    for (slot, path) in [
        "ts",
        "request.method",
        "request.uri",
        "request.headers.x-request-id",
        "duration",
        "status",
    ]
    .iter()
    .enumerate()
    {
        keys.add(path, slot as u8, 0);
    }
    let text = block(CADDY);
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("json", |bencher| {
        bencher.iter(|| {
            for line in why502_parsers::bytes::lines(text.as_bytes()) {
                let mut values = [Value::default(); 6];
                assert!(json::scan(line, &keys, &mut values).is_ok());
                black_box(&values);
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = formats, scan
}
criterion_main!(benches);
