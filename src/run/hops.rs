//! Which inputs are of the same hop, and what that hop is called.

use std::collections::{BTreeMap, BTreeSet};

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
const GENERIC: [&str; 9] = [
    "logs",
    "log",
    "var",
    "LogFiles",
    "HTTPERR",
    "inetpub",
    "AWSLogs",
    "elasticloadbalancing",
    ".",
];

/// Words of a file name that say what is in it, not who wrote it.
const CONTENT_WORDS: [&str; 23] = [
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
    "stderr",
    "stdout",
    "err",
    "out",
    "console",
    "system",
    "catalina",
];

/// A name per input, in the order given; inputs with the same name are of the same hop.
///
/// The name is the user's, else the directory under the path given, else the file's name without the words that only
/// tell its content. A directory in which several programs log is several hops.
pub(super) fn names(inputs: &[Named<'_>]) -> Vec<String> {
    let mut programs: BTreeMap<String, BTreeSet<Product>> = BTreeMap::new();
    for input in inputs.iter().filter(|input| input.given.is_none()) {
        let products = programs.entry(directory(input.relative)).or_default();
        let is_program = |family: &Product| *family != Product::Unknown && !is_output(input);
        products.extend(Some(family(input.product)).filter(is_program));
    }
    let programs_beside = |input: &Named<'_>| programs.get(&directory(input.relative));
    let writers: Vec<Product> = inputs
        .iter()
        .map(|input| writer(input.product, programs_beside(input)))
        .collect();
    let mut stems: BTreeMap<(String, Product), BTreeSet<String>> = BTreeMap::new();
    for (input, &writer) in inputs
        .iter()
        .zip(&writers)
        .filter(|(input, _)| input.given.is_none())
    {
        let stems = stems.entry((directory(input.relative), writer)).or_default();
        stems.extend(telling(input.relative));
    }
    let stem = |input: &Named<'_>, writer: Product| {
        if is_cloud(writer) || matches!(writer, Product::Iis | Product::HttpSys) && is_of_iis(input.relative)
        {
            return family(writer).name().to_owned();
        }
        // An error log without a name of its own is that of the one server there whose access log has one.
        let of_server = || match stems.get(&(directory(input.relative), writer)) {
            Some(stems) if is_web_server(writer) && stems.len() == 1 => stems.first().cloned(),
            _ => None,
        };
        let own = telling(input.relative).or_else(of_server);
        own.unwrap_or_else(|| match writer {
            Product::Unknown => base(input.relative).to_owned(),
            known => known.name().to_owned(),
        })
    };
    inputs
        .iter()
        .zip(&writers)
        .map(|(input, &writer)| {
            if let Some(given) = input.given {
                return given.to_owned();
            }
            let directory = directory(input.relative);
            let alone = programs_beside(input).is_none_or(|products| products.len() <= 1);
            match (directory.is_empty(), alone) {
                (false, true) => directory,
                (false, false) => format!("{directory}/{}", stem(input, writer)),
                (true, _) => stem(input, writer),
            }
        })
        .collect()
}

/// The program that wrote a log of `product`. An access log that several servers could have written is the one web
/// server's that logs beside it.
fn writer(product: Product, beside: Option<&BTreeSet<Product>>) -> Product {
    let mut servers = beside
        .into_iter()
        .flatten()
        .copied()
        .filter(|&server| is_web_server(server));
    match (product, servers.next(), servers.next()) {
        (Product::Unknown, Some(server), None) => server,
        _ => product,
    }
}

/// Whether the program writes its access log and its error log apart, and the former in a format of its user's.
const fn is_web_server(product: Product) -> bool {
    matches!(product, Product::Nginx | Product::Apache)
}

/// Whether a file has the name that IIS or HTTP.sys gives it: `u_ex261120.log`, `httperr1.log`.
fn is_of_iis(relative: &str) -> bool {
    let name = base(relative).to_ascii_lowercase();
    let marks = ["u_ex", "u_in", "u_nc", "u_extend", "httperr", "ex", "in", "nc"];
    let is_number =
        |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    marks
        .iter()
        .any(|mark| name.strip_prefix(mark).is_some_and(is_number))
}

/// Whether a cloud delivers its logs, in files named by account and date.
const fn is_cloud(product: Product) -> bool {
    matches!(
        product,
        Product::AwsAlb | Product::AwsElb | Product::AwsNlb | Product::CloudFront
    )
}

/// Whether it is what a program wrote to its error output, which says nothing of which program that is.
fn is_output(input: &Named<'_>) -> bool {
    input.product == Product::Application && telling(input.relative).is_none()
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
        .filter(|part| !part.is_empty() && !GENERIC.contains(part) && !is_filing(part))
        .collect();
    telling.join("/")
}

/// Whether a directory only sorts the files of one server: by account, date or region (`2026`, `y=2026`,
/// `eu-central-1`), or by the number of an IIS site (`W3SVC1`).
fn is_filing(part: &str) -> bool {
    const AREAS: [&str; 10] = ["us", "eu", "ap", "sa", "ca", "me", "af", "cn", "il", "mx"];
    const SIDES: [&str; 10] = [
        "east",
        "west",
        "north",
        "south",
        "central",
        "northeast",
        "northwest",
        "southeast",
        "southwest",
        "gov",
    ];
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let words: Vec<&str> = part.split('-').collect();
    let is_region = |words: &[&str]| match words {
        [area, side @ .., number] => {
            AREAS.contains(area)
                && !side.is_empty()
                && side.iter().all(|word| SIDES.contains(word))
                && digits(number)
        }
        _ => false,
    };
    digits(part)
        || part.strip_prefix("W3SVC").is_some_and(digits)
        || part
            .split_once('=')
            .is_some_and(|(key, value)| key.len() == 1 && digits(value))
        || is_region(&words)
}

/// A file's name without what follows its first dot.
fn base(relative: &str) -> &str {
    let file = relative.rsplit('/').next().unwrap_or_default();
    match file.split('.').next().unwrap_or_default() {
        "" => file,
        "-" => "stdin",
        base => base,
    }
}

/// The telling words of a file name, if there are any.
fn telling(relative: &str) -> Option<String> {
    let telling: Vec<&str> = base(relative)
        .split(['-', '_'])
        .filter(|word| !word.is_empty() && !CONTENT_WORDS.contains(&word.to_ascii_lowercase().as_str()))
        .filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()))
        .collect();
    (!telling.is_empty()).then(|| telling.join("-"))
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
    fn the_access_log_of_unknown_format_is_of_the_web_server_whose_error_log_lies_beside_it() {
        let all = [
            named("shop.log", Product::Unknown),
            named("error.log", Product::Nginx),
            named("orders.log", Product::Node),
        ];
        assert_eq!(names(&all), ["shop", "shop", "orders"]);
        let all = [
            named("access.log", Product::Unknown),
            named("error.log", Product::Apache),
        ];
        assert_eq!(names(&all), ["apache", "apache"]);
    }

    #[test]
    fn of_several_servers_none_owns_the_error_log_without_a_name() {
        let all = [
            named("edge-access.log", Product::Nginx),
            named("gw-access.log", Product::Nginx),
            named("error.log", Product::Nginx),
        ];
        assert_eq!(names(&all), ["edge", "gw", "nginx"]);
    }

    #[test]
    fn what_a_server_writes_to_its_error_output_is_no_hop_of_its_own() {
        let all = [
            named("shop-app/access.log", Product::Gunicorn),
            named("shop-app/stderr.log", Product::Application),
        ];
        assert_eq!(names(&all), ["shop-app", "shop-app"]);
        let all = [
            named("orders.log", Product::Node),
            named("orders-stderr.log", Product::Application),
        ];
        assert_eq!(names(&all), ["orders", "orders"]);
    }

    #[test]
    fn directories_that_only_sort_files_name_no_hop() {
        let stored = "AWSLogs/123456789012/elasticloadbalancing/eu-central-1/2026/11/20/123456789012_elasticloadbalancing_eu-central-1_app.shop.50dc_20261120T1005Z_10.0.0.1_abc.log.gz";
        let all = [
            named(stored, Product::AwsAlb),
            named("LogFiles/W3SVC1/u_ex261120.log", Product::Iis),
            named("LogFiles/HTTPERR/httperr1.log", Product::HttpSys),
            named("web-1/access.log", Product::Nginx),
        ];
        assert_eq!(names(&all), ["aws-alb", "iis", "iis", "web-1"]);
    }

    #[test]
    fn a_given_name_goes_before_everything() {
        let mut input = named("logs/x/access.log", Product::Nginx);
        input.given = Some("edge");
        assert_eq!(names(&[input]), ["edge"]);
    }
}
