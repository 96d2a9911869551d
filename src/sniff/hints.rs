//! What surrounds a file says of who wrote it.

use why502_parsers::format::Product;

use crate::model::Input;

/// Hints of one kind.
pub(super) struct Tier {
    /// The products hinted at, each once.
    pub(super) products: Vec<Product>,
    /// By what, for reports.
    pub(super) because: &'static str,
}

/// A stream whose product is known by its content.
pub(super) struct Known<'a> {
    /// The stream's name.
    pub(super) stream: &'a str,
    /// Who wrote it.
    pub(super) product: Product,
    /// Whether it bears a mark that only this product writes.
    pub(super) is_marked: bool,
}

/// Words in file names that say nothing about which server wrote the file.
const GENERIC: [&str; 9] = [
    "access", "error", "errors", "log", "logs", "ssl", "txt", "json", "requests",
];

/// The kinds of hints for `input`, strongest first, empty ones left out. `tags` are the products that its lines are
/// tagged with, `certain` the streams whose product is known by their content.
pub(super) fn tiers(
    input: &Input,
    tags: Vec<Product>,
    certain: &[Known<'_>],
    configs: &[(String, Product)],
) -> Vec<Tier> {
    let (directory, name) = split(&input.stream);
    let mut tiers = vec![
        tier("the tag of its lines", tags),
        tier("its name", named_in(name)),
        tier(
            "the logs beside it",
            neighbours(&input.stream, certain).map(|known| known.product),
        ),
        tier(
            "the configuration beside it",
            configs
                .iter()
                .filter(|(path, _)| split(path).0 == directory)
                .map(|(_, product)| *product),
        ),
    ];
    // From the directory it lies in outwards.
    tiers.extend(
        directory
            .rsplit('/')
            .map(|part| tier("its directory", named_in(part))),
    );
    tiers.retain(|tier| !tier.products.is_empty());
    tiers
}

/// The words by which paths tell of `product`.
pub(super) fn product_words(product: Product) -> &'static [&'static str] {
    Product::WORDS
        .iter()
        .find(|(own, _)| *own == product)
        .map_or(&[], |(_, words)| words)
}

/// The words of a path, lower case.
pub(super) fn words(path: &str) -> Vec<String> {
    path.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// What follows the last `/`.
pub(super) fn file_name(path: &str) -> &str {
    split(path).1
}

/// What stands before it.
pub(super) fn directory(path: &str) -> &str {
    split(path).0
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn tier(because: &'static str, products: impl IntoIterator<Item = Product>) -> Tier {
    let mut products: Vec<_> = products.into_iter().collect();
    products.sort();
    products.dedup();
    Tier { products, because }
}

/// Names that servers give to their logs without naming themselves, by how they begin.
const OWN_NAMES: [(&str, Product); 4] = [
    ("localhost_access_log", Product::Tomcat),
    ("other_vhosts_access", Product::Apache),
    ("ssl_access_log", Product::Apache),
    ("ssl_request_log", Product::Apache),
];

fn named_in(text: &str) -> Vec<Product> {
    let own = OWN_NAMES.iter().filter(|(name, _)| text.starts_with(name));
    let words = words(text);
    let named = |(product, own): &(Product, &[&str])| {
        words
            .iter()
            .any(|word| own.contains(&word.as_str()))
            .then_some(*product)
    };
    let told = Product::WORDS.iter().filter_map(named);
    own.map(|(_, product)| *product).chain(told).collect()
}

/// Logs in the same directory that seem to be of the same server: their names differ in
/// generic words and product names only.
fn neighbours<'a>(stream: &'a str, certain: &'a [Known<'a>]) -> impl Iterator<Item = &'a Known<'a>> {
    let (directory, name) = split(stream);
    let own = telling(name);
    certain
        .iter()
        .filter(move |other| other.stream != stream && split(other.stream).0 == directory)
        .filter(move |other| telling(file_name(other.stream)) == own)
}

/// The one product whose mark the neighbours of `stream` bear.
pub(super) fn marked_neighbour(stream: &str, certain: &[Known<'_>]) -> Option<Product> {
    let mut marked = neighbours(stream, certain)
        .filter(|known| known.is_marked)
        .map(|known| known.product);
    let first = marked.next()?;
    marked.all(|other| other == first).then_some(first)
}

fn telling(name: &str) -> Vec<String> {
    let mut words = words(name);
    let says_nothing =
        |word: &str| GENERIC.contains(&word) || Product::WORDS.iter().any(|(_, own)| own.contains(&word));
    words.retain(|word| !says_nothing(word));
    words
}
