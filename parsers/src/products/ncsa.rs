//! Servers whose access log is the common log format and nothing else: only what stands beside the file tells them apart.
//!
//! - Jetty: `%{client}a - %u %t "%r" %s %O`, extended by referer and agent. The time is when the request was received; the
//!   older `NCSARequestLog` appends milliseconds if asked for its latency. Source: Jetty, `CustomRequestLog`.
//! - Undertow: `%h %l %u %t "%r" %s %b`, `combined` extended likewise; written, and stamped, at the end; `%D` is
//!   milliseconds. Source: Undertow, `AccessLogHandler`, `ResponseTimeAttribute`.
//! - IIS in NCSA mode: local time with its offset, stamped when the line is written. Source: Microsoft, "NCSA Logging".
//! - morgan's `common` and `combined`: GMT, stamped when the response has ended. Source: morgan, `README`.

use std::sync::Arc;

use crate::format::{Format, Head, Prepared, Product, RecordKind, Sniff};
use crate::products::clf::{self, Style};

/// The common log format as one of these servers uses it.
#[derive(Debug)]
pub struct Ncsa {
    name: &'static str,
    product: Product,
    style: Style,
}

impl Ncsa {
    /// Jetty.
    pub const JETTY: Self = Self {
        name: "jetty",
        product: Product::Jetty,
        style: Style::JETTY,
    };
    /// Undertow, `WildFly`'s server.
    pub const UNDERTOW: Self = Self {
        name: "undertow",
        product: Product::Undertow,
        style: Style::UNDERTOW,
    };
    /// IIS in NCSA mode.
    pub const IIS: Self = Self {
        name: "iis-ncsa",
        product: Product::Iis,
        style: Style::PLAIN,
    };
    /// morgan's `common` and `combined`.
    pub const MORGAN: Self = Self {
        name: "morgan-combined",
        product: Product::Node,
        style: Style::PLAIN,
    };
}

impl Format for Ncsa {
    fn name(&self) -> &str {
        self.name
    }

    fn product(&self) -> Product {
        self.product
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        clf::by_hint(head, self.product, self.style)
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(self.style)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Entry;
    use crate::format::Line;

    #[test]
    fn the_unit_behind_a_duration_of_morgan_is_heeded() {
        let line = br#"10.0.0.6 - - [20/Nov/2026:21:36:17 +0000] "POST /checkout HTTP/1.1" 502 - "-" "ShopApp/5.2" 272.573 ms e4c9ea48-87a3-46aa-83b3-7f2ee833b1e6"#;
        let mut entry = Entry::default();
        let mut parser = Ncsa::MORGAN.style.open(b"");
        assert_eq!(parser.parse(line, &mut entry), Ok(Line::Entry));
        assert_eq!((entry.status, entry.duration_us), (Some(502), Some(272_573)));
        assert_eq!(entry.ids.as_slice(), [b"e4c9ea48-87a3-46aa-83b3-7f2ee833b1e6"]);
    }
}
