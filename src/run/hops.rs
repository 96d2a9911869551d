//! Which inputs are of the same hop, and what that hop is called.

use std::collections::BTreeMap;

use why502_parsers::Product;

/// What is known of one input when hops are named.
#[derive(Debug, Clone)]
pub(super) struct Named<'a> {
    /// Its path as shown, relative to the path the user gave (empty directories stripped).
    pub relative: &'a str,
    /// The program that wrote it.
    pub product: Product,
    /// A name given by the user.
    pub given: Option<&'a str>,
}

/// Directory names that say nothing about the hop.
const GENERIC: [&str; 6] = ["logs", "log", "var", "LogFiles", "inetpub", "."];

/// Words of a file name that say what is in it, not who wrote it.
const CONTENT_WORDS: [&str; 16] = [
    "access",
    "error",
    "errors",
    "log",
    "logs",
    "api",
    "http",
    "https",
    "ssl",
    "current",
    "combined",
    "main",
    "request",
    "requests",
    "other_vhosts_access",
    "host",
];

/// A name per input, in the order given; inputs with the same name are of the same hop.
///
/// The name is the user's, else the directory under the path given, else the file's name without the words that only
/// tell its content. A directory in which several programs log is several hops.
pub(super) fn names(inputs: &[Named<'_>]) -> Vec<String> {
    let mut programs: BTreeMap<String, Vec<Product>> = BTreeMap::new();
    for input in inputs.iter().filter(|input| input.given.is_none()) {
        let products = programs.entry(directory(input.relative)).or_default();
        let family = family(input.product);
        if family != Product::Unknown && !products.contains(&family) {
            products.push(family);
        }
    }
    inputs
        .iter()
        .map(|input| {
            if let Some(given) = input.given {
                return given.to_owned();
            }
            let directory = directory(input.relative);
            let alone = programs
                .get(&directory)
                .is_none_or(|products| products.len() <= 1);
            match (directory.is_empty(), alone) {
                (false, true) => directory,
                (false, false) => format!("{directory}/{}", stem(input)),
                (true, _) => stem(input),
            }
        })
        .collect()
}

/// Programs that make up one server.
const fn family(product: Product) -> Product {
    match product {
        Product::HttpSys => Product::Iis,
        Product::Application => Product::Node,
        other => other,
    }
}

/// The telling part of the directories of a path.
fn directory(relative: &str) -> String {
    let Some((directories, _)) = relative.rsplit_once('/') else {
        return String::new();
    };
    let telling: Vec<&str> = directories
        .split('/')
        .filter(|part| !part.is_empty() && !GENERIC.contains(part))
        .collect();
    telling.join("/")
}

/// The telling words of a file name; the program's name if there are none.
fn stem(input: &Named<'_>) -> String {
    let file = input.relative.rsplit('/').next().unwrap_or_default();
    let base = file.split('.').next().unwrap_or_default();
    let telling: Vec<&str> = base
        .split(['-', '_'])
        .filter(|word| !word.is_empty() && !CONTENT_WORDS.contains(&word.to_ascii_lowercase().as_str()))
        .filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    if telling.is_empty() {
        input.product.name().to_owned()
    } else {
        telling.join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(relative: &str, product: Product) -> Named<'_> {
        Named {
            relative,
            product,
            given: None,
        }
    }

    #[test]
    fn the_directory_names_the_hop() {
        let all = [
            named("logs/edge/access.log", Product::Nginx),
            named("logs/edge/error.log.1", Product::Nginx),
            named("logs/orders-app/app.log", Product::Node),
        ];
        assert_eq!(names(&all), ["edge", "edge", "orders-app"]);
    }

    #[test]
    fn in_one_directory_the_files_name_the_hops() {
        let all = [
            named("haproxy.log", Product::Haproxy),
            named("nginx-access.log", Product::Nginx),
            named("nginx_error.log", Product::Nginx),
            named("access.log", Product::Apache),
        ];
        assert_eq!(names(&all), ["haproxy", "nginx", "nginx", "apache"]);
    }

    #[test]
    fn two_programs_in_a_directory_are_two_hops_but_iis_and_its_kernel_driver_are_one() {
        let all = [
            named("web1/haproxy.log", Product::Haproxy),
            named("web1/app.log", Product::Node),
            named("iis1/u_ex261120.log", Product::Iis),
            named("iis1/httperr1.log", Product::HttpSys),
        ];
        assert_eq!(names(&all), ["web1/haproxy", "web1/app", "iis1", "iis1"]);
    }

    #[test]
    fn a_given_name_goes_before_everything() {
        let mut input = named("logs/x/access.log", Product::Nginx);
        input.given = Some("edge");
        assert_eq!(names(&[input]), ["edge"]);
    }
}
