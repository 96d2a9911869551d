//! What a hop does to the path of a request before it sends the request on.

use super::ids;

/// One beginning of paths that a hop replaces by another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rewrite {
    /// The beginning as the hop is asked for it, without a slash at its end; empty if it puts something before every path.
    pub from: Box<str>,
    /// What it sends on instead, likewise.
    pub to: Box<str>,
}

impl Rewrite {
    /// A rule that replaces `from` by `to`; slashes at their ends do not count.
    pub fn new(from: &str, to: &str) -> Self {
        let plain = |path: &str| Box::from(&*ids::plain_path(path.trim_end_matches('/')));
        Self {
            from: plain(from),
            to: plain(to),
        }
    }

    /// The path that is sent on for `path`, if the rule is for it.
    pub fn apply(&self, path: &str) -> Option<String> {
        replace(path, &self.from, &self.to)
    }

    /// The path that was asked for if `path` was sent on by this rule.
    pub fn undo(&self, path: &str) -> Option<String> {
        replace(path, &self.to, &self.from)
    }
}

/// `path` with `to` in the place of `from` at its beginning, if that ends where a part of the path does.
fn replace(path: &str, from: &str, to: &str) -> Option<String> {
    let rest = path.strip_prefix(from)?;
    match rest.as_bytes().first() {
        Some(b'/') => Some(format!("{to}{rest}")),
        None if !to.is_empty() => Some(to.to_owned()),
        None => Some("/".to_owned()),
        Some(_) => None,
    }
}

/// What `rules` make of `path`: the one with the longest beginning holds.
pub fn sent_on(rules: &[Rewrite], path: &str) -> Option<String> {
    let fitting = rules
        .iter()
        .filter_map(|rule| Some((rule.from.len(), rule.apply(path)?)));
    fitting.max_by_key(|(length, _)| *length).map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_replaced_where_a_part_of_the_path_ends() {
        let strip = Rewrite::new("/api/", "/");
        assert_eq!(strip.apply("/api/orders/7").as_deref(), Some("/orders/7"));
        assert_eq!(strip.apply("/api").as_deref(), Some("/"));
        assert_eq!(strip.apply("/apis/7"), None);
        assert_eq!(strip.undo("/orders/7").as_deref(), Some("/api/orders/7"));
        let add = Rewrite::new("", "/shop");
        assert_eq!(add.apply("/orders").as_deref(), Some("/shop/orders"));
        assert_eq!(add.undo("/other"), None);
    }

    #[test]
    fn the_longest_beginning_holds() {
        let rules = [Rewrite::new("/api", ""), Rewrite::new("/api/v2", "/two")];
        assert_eq!(sent_on(&rules, "/api/v2/a").as_deref(), Some("/two/a"));
        assert_eq!(sent_on(&rules, "/api/v1/a").as_deref(), Some("/v1/a"));
        assert_eq!(sent_on(&rules, "/v1/a"), None);
    }
}
