vcl 4.1;

backend shop {
    .host = "127.17.30.1";
    .port = "3000";
    .connect_timeout = 2s;
    .first_byte_timeout = 3s;
    .between_bytes_timeout = 2s;
}

backend orders {
    .host = "127.17.30.2";
    .port = "3001";
    .connect_timeout = 2s;
    .first_byte_timeout = 3s;
}

backend reports {
    .host = "127.17.30.1";
    .port = "3000";
    .connect_timeout = 2s;
    .first_byte_timeout = 8s;
    .max_connections = 1;
}

backend recommend {
    .host = "127.17.40.1";
    .port = "9200";
    .connect_timeout = 2s;
}

backend invoices {
    .host = "127.17.60.1";
    .port = "9000";
    .connect_timeout = 2s;
}

backend legacy {
    .host = "127.17.60.2";
    .port = "9000";
    .probe = { .url = "/health"; .interval = 5s; .timeout = 1s; .window = 3; .threshold = 2; .initial = 0; }
}

sub vcl_recv {
    if (req.url ~ "^/orders/") {
        set req.backend_hint = orders;
    } elsif (req.url ~ "^/reports/") {
        set req.backend_hint = reports;
    } elsif (req.url ~ "^/recommendations/") {
        set req.backend_hint = recommend;
    } elsif (req.url ~ "^/invoices/") {
        set req.backend_hint = invoices;
    } elsif (req.url ~ "^/legacy/") {
        set req.backend_hint = legacy;
    } else {
        set req.backend_hint = shop;
    }
    if (req.method == "GET" && req.url ~ "^/products/[0-9]") {
        return (hash);
    }
    return (pass);
}

sub vcl_backend_response {
    set beresp.ttl = 5s;
    set beresp.grace = 0s;
}
