//! Who takes part: clients, services, paths.

use crate::rng::Rng;

/// An application behind the gateway: one site of the IIS server, told apart by its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// First part of its paths, and name of its upstream group.
    pub name: &'static str,
    /// Ports of the servers in its group; requests go to the first, retries to the second.
    pub ports: &'static [u16],
    /// Share of the traffic, in per cent.
    pub share: u32,
    /// The requests it takes: the methods, one drawn at random.
    pub methods: &'static [&'static str],
}

/// The busy services. The first has two servers, so what fails there is tried again and hidden.
pub const SERVICES: [Service; 5] = [
    Service {
        name: "catalogue",
        ports: &[8085, 8086],
        share: 45,
        methods: &["GET"],
    },
    Service {
        name: "search",
        ports: &[8084],
        share: 20,
        methods: &["GET"],
    },
    Service {
        name: "basket",
        ports: &[8082],
        share: 15,
        methods: &["GET", "POST", "PUT"],
    },
    Service {
        name: "account",
        ports: &[8083],
        share: 10,
        methods: &["GET", "POST"],
    },
    Service {
        name: "orders",
        ports: &[8081],
        share: 10,
        methods: &["POST", "GET"],
    },
];

/// Port of the first till, a service so quiet that its connections stand idle for seconds.
pub const FIRST_TILL_PORT: u16 = 8101;

/// Address of the edge, as the gateway sees it.
pub const EDGE: &str = "10.0.1.10";
/// Address of the gateway, as the application server sees it.
pub const GATEWAY: &str = "10.0.2.10";
/// Address of the application server.
pub const APP: &str = "10.0.3.10";
/// The only host name.
pub const HOST: &str = "shop.example.com";

/// User agents, as they are sent. The last ones are there to be mistaken for a status.
pub const AGENTS: [&str; 10] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.1 Safari/605",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/142.0 Mobile Safari",
    "ShopApp/5.2 (iOS 18.1; build 4711; iPhone17,1; de_DE) CFNetwork/1568.200.51 Darwin/24.1.0",
    "ShopApp/5.2 (Android 15; build 4711; SM-S928B; en_GB) okhttp/4.12.0",
    "PartnerSync/2.0 (+https://partner.example.net/sync; contact api@partner.example.net)",
    "Probe 502 checker/1.1 (status 502 or 504; https://probe.example.org/)",
    "curl/8.5.0",
];

/// Pages that link here.
pub const REFERERS: [&str; 6] = [
    "-",
    "https://shop.example.com/",
    "https://shop.example.com/catalogue/chairs",
    "https://shop.example.com/search?q=oak",
    "https://www.example.net/deals/november",
    "-",
];

/// A path that requests ask for.
#[derive(Debug)]
pub struct Page {
    /// Index into [`SERVICES`].
    pub service: usize,
    /// Path without query.
    pub stem: String,
    /// Query without `?`; empty for most.
    pub query: String,
    /// How long the application usually works on it, in microseconds.
    pub work_us: f64,
}

/// Everything that is drawn from.
#[derive(Debug)]
pub struct Cast {
    /// The pages.
    pub pages: Vec<Page>,
    /// Addresses of clients.
    pub clients: Vec<String>,
    /// Where each service's pages stand in `popular`.
    popular: Vec<u16>,
    popular_of: Vec<Vec<u16>>,
}

/// Pages in all.
const PAGES: usize = 2000;
/// Entries of the table that a popular page is drawn from.
const TABLE: usize = 1 << 16;
/// Exponent of the law by which pages are popular.
const ZIPF: f64 = 1.1;

impl Cast {
    /// The cast that belongs to the numbers in `rng`.
    pub fn new(rng: &mut Rng) -> Self {
        let services: Vec<usize> = (0..SERVICES.len())
            .flat_map(|n| std::iter::repeat_n(n, SERVICES[n].share as usize))
            .collect();
        let pages: Vec<Page> = (0..PAGES)
            .map(|n| page(n, services[(n * 37) % services.len()], rng))
            .collect();
        let popular = zipf(&(0..PAGES as u16).collect::<Vec<_>>(), TABLE);
        let popular_of = (0..SERVICES.len())
            .map(|service| {
                let own: Vec<u16> = (0..PAGES as u16)
                    .filter(|&n| pages[usize::from(n)].service == service)
                    .collect();
                zipf(&own, TABLE / 16)
            })
            .collect();
        Self {
            pages,
            clients: clients(),
            popular,
            popular_of,
        }
    }

    /// A page, the popular ones more often; of `service` if one is asked for.
    pub fn page(&self, service: Option<usize>, rng: &mut Rng) -> u16 {
        match service.and_then(|service| self.popular_of.get(service)) {
            Some(table) => *rng.pick(table),
            None => *rng.pick(&self.popular),
        }
    }
}

/// A table in which the nth of `items` stands as often as Zipf's law says, at least once.
fn zipf(items: &[u16], size: usize) -> Vec<u16> {
    let weight = |n: usize| 1.0 / ((n + 1) as f64).powf(ZIPF);
    let total: f64 = (0..items.len()).map(weight).sum();
    let mut table = Vec::with_capacity(size + items.len());
    for (n, &item) in items.iter().enumerate() {
        let times = ((weight(n) / total * size as f64).round() as usize).max(1);
        table.extend(std::iter::repeat_n(item, times));
    }
    table
}

fn page(n: usize, service: usize, rng: &mut Rng) -> Page {
    let name = SERVICES[service].name;
    let words = [
        "chairs", "lamps", "desks", "shelves", "oak", "walnut", "garden", "kitchen", "items", "list",
    ];
    let (one, two) = (rng.pick(&words), rng.pick(&words));
    let number = rng.between(100, 99_999);
    // Some pages have the number in their name that everybody searches for.
    let stem = match n % 50 {
        7 => format!("/{name}/502"),
        23 => format!("/{name}/{one}/status/502/{number}"),
        n if n % 3 == 0 => format!("/{name}/{one}"),
        _ => format!("/{name}/{one}/{two}/{number}"),
    };
    let query = match n % 6 {
        0 => format!("page={}&sort={two}", n % 9),
        3 => format!("q={one}&code=502"),
        _ => String::new(),
    };
    Page {
        service,
        stem,
        query,
        work_us: rng.between(4_000, 60_000) as f64,
    }
}

/// Addresses set aside for documentation.
fn clients() -> Vec<String> {
    ["192.0.2", "198.51.100", "203.0.113"]
        .iter()
        .flat_map(|net| (1..255).map(move |n| format!("{net}.{n}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popular_pages_are_drawn_more_often() {
        let mut rng = Rng::new(3);
        let cast = Cast::new(&mut rng);
        let mut seen = vec![0u32; cast.pages.len()];
        for _ in 0..100_000 {
            seen[usize::from(cast.page(None, &mut rng))] += 1;
        }
        assert!(
            seen[0] > 10 * seen[20] && seen[20] > 3 * seen[200],
            "{} {} {}",
            seen[0],
            seen[20],
            seen[200]
        );
    }

    #[test]
    fn a_service_gets_its_own_pages_only() {
        let mut rng = Rng::new(3);
        let cast = Cast::new(&mut rng);
        for _ in 0..1000 {
            assert_eq!(cast.pages[usize::from(cast.page(Some(4), &mut rng))].service, 4);
        }
    }
}
