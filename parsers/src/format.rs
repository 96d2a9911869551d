//! What a format is: how it is recognised, and how its lines become entries.

use std::sync::Arc;

use crate::entry::Entry;
use crate::error::LineError;
use crate::glance::Glance;

/// The program that wrote a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs)] // The variants are product names.
pub enum Product {
    Nginx,
    Haproxy,
    Apache,
    Caddy,
    Envoy,
    Traefik,
    Kong,
    Squid,
    Varnish,
    Lighttpd,
    LiteSpeed,
    TrafficServer,
    Yarp,
    AwsAlb,
    AwsElb,
    AwsNlb,
    CloudFront,
    ApiGateway,
    GcpLb,
    AzureAppGateway,
    AzureFrontDoor,
    AzureAppService,
    Cloudflare,
    Fastly,
    OpenIg,
    ApigeeMp,
    ApigeeRouter,
    EdgeMicro,
    Iis,
    HttpSys,
    Gunicorn,
    Uvicorn,
    Uwsgi,
    PhpFpm,
    Node,
    Tomcat,
    Jetty,
    Undertow,
    Java,
    DotNet,
    Ruby,
    Application,
    /// The operating system's own messages.
    Linux,
    /// The lines do not say who wrote them (a bare common log format).
    Unknown,
}

impl Product {
    /// Every product, by name.
    pub const NAMED: &'static [(&'static str, Self)] = &[
        (Self::Nginx.name(), Self::Nginx),
        (Self::Haproxy.name(), Self::Haproxy),
        (Self::Apache.name(), Self::Apache),
        (Self::Caddy.name(), Self::Caddy),
        (Self::Envoy.name(), Self::Envoy),
        (Self::Traefik.name(), Self::Traefik),
        (Self::Kong.name(), Self::Kong),
        (Self::Squid.name(), Self::Squid),
        (Self::Varnish.name(), Self::Varnish),
        (Self::Lighttpd.name(), Self::Lighttpd),
        (Self::LiteSpeed.name(), Self::LiteSpeed),
        (Self::TrafficServer.name(), Self::TrafficServer),
        (Self::Yarp.name(), Self::Yarp),
        (Self::AwsAlb.name(), Self::AwsAlb),
        (Self::AwsElb.name(), Self::AwsElb),
        (Self::AwsNlb.name(), Self::AwsNlb),
        (Self::CloudFront.name(), Self::CloudFront),
        (Self::ApiGateway.name(), Self::ApiGateway),
        (Self::GcpLb.name(), Self::GcpLb),
        (Self::AzureAppGateway.name(), Self::AzureAppGateway),
        (Self::AzureFrontDoor.name(), Self::AzureFrontDoor),
        (Self::AzureAppService.name(), Self::AzureAppService),
        (Self::Cloudflare.name(), Self::Cloudflare),
        (Self::Fastly.name(), Self::Fastly),
        (Self::OpenIg.name(), Self::OpenIg),
        (Self::ApigeeMp.name(), Self::ApigeeMp),
        (Self::ApigeeRouter.name(), Self::ApigeeRouter),
        (Self::EdgeMicro.name(), Self::EdgeMicro),
        (Self::Iis.name(), Self::Iis),
        (Self::HttpSys.name(), Self::HttpSys),
        (Self::Gunicorn.name(), Self::Gunicorn),
        (Self::Uvicorn.name(), Self::Uvicorn),
        (Self::Uwsgi.name(), Self::Uwsgi),
        (Self::PhpFpm.name(), Self::PhpFpm),
        (Self::Node.name(), Self::Node),
        (Self::Tomcat.name(), Self::Tomcat),
        (Self::Jetty.name(), Self::Jetty),
        (Self::Undertow.name(), Self::Undertow),
        (Self::Java.name(), Self::Java),
        (Self::DotNet.name(), Self::DotNet),
        (Self::Application.name(), Self::Application),
        (Self::Linux.name(), Self::Linux),
        (Self::Ruby.name(), Self::Ruby),
        (Self::Unknown.name(), Self::Unknown),
    ];

    /// Words in paths, and tags in the system's log, that tell of a product.
    pub const WORDS: &'static [(Self, &'static [&'static str])] = &[
        (Self::Nginx, &["nginx", "openresty", "ingress"]),
        (Self::Haproxy, &["haproxy"]),
        (Self::Apache, &["apache", "apache2", "httpd"]),
        (Self::Caddy, &["caddy"]),
        (Self::Envoy, &["envoy", "istio"]),
        (Self::Traefik, &["traefik"]),
        (Self::Kong, &["kong"]),
        (Self::Squid, &["squid"]),
        (Self::Varnish, &["varnish", "varnishncsa"]),
        (Self::Lighttpd, &["lighttpd"]),
        (Self::LiteSpeed, &["litespeed", "lsws", "openlitespeed"]),
        (Self::TrafficServer, &["trafficserver"]),
        (Self::Iis, &["iis", "w3svc", "inetpub"]),
        (Self::HttpSys, &["httperr"]),
        (Self::EdgeMicro, &["edgemicro", "microgateway", "emg"]),
        (Self::Gunicorn, &["gunicorn"]),
        (Self::Uvicorn, &["uvicorn"]),
        (Self::Node, &["node", "nodejs", "express", "pm2", "morgan"]),
        (Self::Java, &["java", "spring"]),
        (
            Self::Tomcat,
            &["tomcat", "tomcat8", "tomcat9", "tomcat10", "catalina"],
        ),
        (Self::Jetty, &["jetty"]),
        (Self::Undertow, &["undertow", "wildfly", "jboss"]),
        (Self::Uwsgi, &["uwsgi"]),
        (Self::PhpFpm, &["php", "fpm"]),
        (Self::DotNet, &["dotnet", "kestrel", "aspnetcore"]),
        (Self::OpenIg, &["openig", "forgerock"]),
    ];

    /// The product whose programs tag their lines in the system's log so (lower case): `nginx`, `httpd`, `php-fpm`.
    pub fn by_tag(tag: &str) -> Option<Self> {
        let named = |own: &[&str]| own.contains(&tag);
        let by_word = Self::WORDS.iter().find(|(_, own)| named(own));
        by_word
            .map(|(product, _)| *product)
            .or_else(|| Self::by_name(tag))
    }

    /// The product called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        let named = Self::NAMED.iter().find(|(own, _)| *own == name);
        named.map(|(_, product)| *product)
    }

    /// The name as users type it and as reports print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Apache => "apache",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Traefik => "traefik",
            Self::Kong => "kong",
            Self::Squid => "squid",
            Self::Varnish => "varnish",
            Self::Lighttpd => "lighttpd",
            Self::LiteSpeed => "litespeed",
            Self::TrafficServer => "trafficserver",
            Self::Yarp => "yarp",
            Self::AwsAlb => "aws-alb",
            Self::AwsElb => "aws-elb",
            Self::AwsNlb => "aws-nlb",
            Self::CloudFront => "cloudfront",
            Self::ApiGateway => "aws-apigateway",
            Self::GcpLb => "gcp-lb",
            Self::AzureAppGateway => "azure-appgw",
            Self::AzureFrontDoor => "azure-frontdoor",
            Self::AzureAppService => "azure-appservice",
            Self::Cloudflare => "cloudflare",
            Self::Fastly => "fastly",
            Self::OpenIg => "openig",
            Self::ApigeeMp => "apigee-mp",
            Self::ApigeeRouter => "apigee-router",
            Self::EdgeMicro => "edgemicro",
            Self::Iis => "iis",
            Self::HttpSys => "http.sys",
            Self::Gunicorn => "gunicorn",
            Self::Uvicorn => "uvicorn",
            Self::Uwsgi => "uwsgi",
            Self::PhpFpm => "php-fpm",
            Self::Node => "node",
            Self::Tomcat => "tomcat",
            Self::Jetty => "jetty",
            Self::Undertow => "undertow",
            Self::Java => "java",
            Self::DotNet => "dotnet",
            Self::Ruby => "ruby",
            Self::Application => "application",
            Self::Linux => "linux",
            Self::Unknown => "unknown",
        }
    }

    /// Whether this program usually sends requests on to an upstream.
    pub const fn is_proxy(self) -> bool {
        matches!(
            self,
            Self::Nginx
                | Self::Haproxy
                | Self::Apache
                | Self::Caddy
                | Self::Envoy
                | Self::Traefik
                | Self::Kong
                | Self::Squid
                | Self::Varnish
                | Self::Lighttpd
                | Self::LiteSpeed
                | Self::TrafficServer
                | Self::Yarp
                | Self::AwsAlb
                | Self::AwsElb
                | Self::AwsNlb
                | Self::CloudFront
                | Self::ApiGateway
                | Self::GcpLb
                | Self::AzureAppGateway
                | Self::AzureFrontDoor
                | Self::Cloudflare
                | Self::Fastly
                | Self::OpenIg
                | Self::ApigeeMp
                | Self::ApigeeRouter
                | Self::EdgeMicro
        )
    }
}

/// What one line of a format records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// Requests, one line (or one line per step) each.
    Access,
    /// Failures and events of a server; a line may name the request it belongs to.
    Error,
    /// Both kinds in one stream (Edge Microgateway, application logs).
    Mixed,
}

/// How sure a format is that a file is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Score {
    /// Not this format.
    No,
    /// Lines parse, but the shape is shared by several products (common log format).
    Shape,
    /// Lines parse and the shape is this format's own.
    Own,
    /// A mark that only this format writes, or its definition came from the server's configuration.
    Mark,
}

/// A format's opinion of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sniff {
    /// How sure it is.
    pub score: Score,
    /// Lines of the head that are entries, or directives and continuations of entries.
    pub parsed: u32,
    /// Lines of the head looked at.
    pub looked_at: u32,
    /// Why, for `detect` and for the coverage table.
    pub reason: String,
}

impl Sniff {
    /// The opinion "not mine".
    pub fn no() -> Self {
        Self {
            score: Score::No,
            parsed: 0,
            looked_at: 0,
            reason: String::new(),
        }
    }

    /// Parses the head with `parser` and scores `full` when at least half of the lines are read, `No` otherwise. Once
    /// that is settled no further line is looked at.
    pub fn by_parsing(head: &Head<'_>, parser: &mut dyn LineParser, full: Score, reason: &str) -> Self {
        Self::by_lines(head, parser, full, reason, Head::LINES / 2)
    }

    /// The same with every line of the head counted, whatever comes of it.
    pub fn by_parsing_all(head: &Head<'_>, parser: &mut dyn LineParser, full: Score, reason: &str) -> Self {
        Self::by_lines(head, parser, full, reason, Head::LINES)
    }

    /// Gives up once more than `most_unread` lines were not read.
    fn by_lines(
        head: &Head<'_>,
        parser: &mut dyn LineParser,
        full: Score,
        reason: &str,
        most_unread: usize,
    ) -> Self {
        let (mut parsed, mut looked_at, mut entries) = (0, 0, 0u32);
        let mut entry = Entry::default();
        for line in head.lines().take(Head::LINES) {
            if (looked_at - parsed) as usize > most_unread {
                break;
            }
            looked_at += 1;
            entry.clear();
            match parser.parse(line, &mut entry) {
                Ok(Line::Entry) => {
                    entries += 1;
                    parsed += 1;
                }
                Ok(_) => parsed += 1,
                Err(_) => {}
            }
        }
        if entries == 0 || parsed * 2 < looked_at {
            return Self {
                parsed,
                looked_at,
                ..Self::no()
            };
        }
        Self {
            score: full,
            parsed,
            looked_at,
            reason: reason.to_owned(),
        }
    }
}

/// The first bytes of a file, cut at the last line end, wrappers already taken off.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Products that the surroundings suggest (an error log or configuration in the same
    /// directory, a word in the path). Only ever used to break a tie between formats whose lines look alike.
    pub hints: &'a [Product],
    /// The day the file was written on (`2026-11-20`), from its name or its last change: for formats whose lines carry
    /// a time of day only. `None` if it is not known; such lines then have no time.
    pub date_hint: Option<[u8; 10]>,
}

impl<'a> Head<'a> {
    /// How many lines a sniff looks at.
    pub const LINES: usize = 128;

    /// The non-empty lines, without their line ends.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        crate::bytes::lines(self.bytes).filter(|line| !line.is_empty())
    }
}

/// What a line turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A record; the entry was filled.
    Entry,
    /// The rest of the record above it (stack trace, captured response).
    Continuation,
    /// Read and understood, but nothing that happened: a comment, a directive, a blank line.
    Directive,
}

/// Reads lines one after the other; keeps what must be remembered between them (the cached day,
/// the current `#Fields`). One per block, so it may be used from one thread only.
pub trait LineParser: Send {
    /// Reads one line without its line end into `entry`, which the caller has cleared.
    ///
    /// # Errors
    /// [`LineError`] names the byte and the field at which reading stopped; the line then counts as unparsed.
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError>;

    /// Whether `line` surely tells of a request for which one attempt at most was made, and what counting needs of it
    /// (put into `glance`, which is empty before). Where the answer is no, `line` and `glance` may be anything.
    ///
    /// What it gives must be what [`LineParser::parse`] would have given, which must find no fault with the line.
    fn glance<'a>(&mut self, line: &'a [u8], glance: &mut Glance<'a>) -> bool {
        let _ = (line, glance);
        false
    }

    /// Whether `line` begins a record, for formats whose records go on over several lines (stack traces, captured
    /// responses); `None` where every line is read for itself.
    ///
    /// A reader that has the following lines at hand gives such a record to [`LineParser::parse`] whole, its lines
    /// parted by `\n`; the entry then tells what only a later line says. A parser must do with single lines as well:
    /// the later ones are then continuations.
    fn begins(&self, line: &[u8]) -> Option<bool> {
        let _ = line;
        None
    }

    /// How many bytes of the lines before a part of a file the parser has to be given first for it to read the part as in
    /// the whole file, because it remembers some: see [`crate::engine::memory`]. Zero where every record is read for itself.
    fn lead_in(&self) -> usize {
        0
    }
}

/// A format made ready for one file: whatever had to be learnt from its head has been learnt.
pub trait Prepared: Send + Sync {
    /// A parser for one block of the file. `preamble` is the nearest directive before the block
    /// (see [`Prepared::directive`]), empty if there is none.
    fn open(&self, preamble: &[u8]) -> Box<dyn LineParser>;

    /// The start of lines that change how later lines are read (`#Fields:`), if the format has such.
    fn directive(&self) -> Option<&'static [u8]> {
        None
    }
}

/// A format that learns nothing from a file's head: its lines are read the same way in every file. Most are so.
pub trait Plain: Copy + Send + Sync + 'static {
    /// See [`Format::name`].
    const NAME: &'static str;
    /// See [`Format::product`].
    const PRODUCT: Product;
    /// See [`Format::kind`].
    const KIND: RecordKind;

    /// A parser that has read nothing yet.
    fn lines(&self) -> Box<dyn LineParser>;

    /// See [`Format::sniff`].
    fn claim(&self, head: &Head<'_>) -> Sniff;
}

impl<P: Plain> Prepared for P {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        self.lines()
    }
}

impl<P: Plain> Format for P {
    fn name(&self) -> &str {
        P::NAME
    }

    fn product(&self) -> Product {
        P::PRODUCT
    }

    fn kind(&self) -> RecordKind {
        P::KIND
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        self.claim(head)
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(*self)
    }
}

/// A log format.
pub trait Format: Send + Sync {
    /// Its name, as typed after `--input-format`.
    fn name(&self) -> &str;

    /// Who writes it.
    fn product(&self) -> Product;

    /// What its lines record.
    fn kind(&self) -> RecordKind;

    /// What it is, in a few words.
    fn about(&self) -> String {
        let what = match self.kind() {
            RecordKind::Access => "access log",
            RecordKind::Error => "error log",
            RecordKind::Mixed => "log of requests and errors",
        };
        match self.product() {
            Product::Unknown => format!("{what} of any server"),
            product => format!("{what} of {}", product.name()),
        }
    }

    /// Whether `head` is of this format.
    fn sniff(&self, head: &Head<'_>) -> Sniff;

    /// Makes the format ready for the file that starts with `head`.
    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared>;
}
