"""nginx as Apigee's router runs it: an access log in fields parted by tabs, message processors on port 8998.

What the vendor tells of the fields is kept; how nginx writes them is what is captured: requests that were tried twice,
one for which no processor was left, one whose client left, one that was no HTTP.
"""

import contextlib
import socket
import time

from lines import ask
from peers import scripted_peer

CONF = """worker_processes 1;
pid tmp/nginx.pid;
events { worker_connections 256; }
http {
  log_format router '$time_iso8601\\t$hostname\\t$remote_addr:$remote_port\\t$upstream_addr\\t$request_time\\t'
                    '$upstream_response_time\\t$upstream_connect_time\\t$status\\t$upstream_status\\t$request_length\\t'
                    '$bytes_sent\\t$request\\t$http_user_agent\\t$host\\t$http_x_apigee_message_id\\t-\\t'
                    '$upstream_http_x_apigee_fault_source\\t$upstream_http_x_apigee_fault_code';
  access_log logs/access.log router;
  client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u;
  scgi_temp_path tmp/s;
  upstream processors { server 127.20.5.2:8998 max_fails=0; server 127.20.5.3:8998 max_fails=0; }
  upstream retired { server 127.20.5.4:8998; server 127.20.5.5:8998; }
  proxy_read_timeout 1s;
  proxy_next_upstream error timeout non_idempotent;
  server {
    listen 127.20.5.1:9001;
    location / { proxy_pass http://processors; }
    location /retired { proxy_pass http://retired; }
  }
}
"""
ROUTER = ("127.20.5.1", 9001)


def run(lab):
    """The router's access and error log."""
    for host in ("127.20.5.2", "127.20.5.3"):
        scripted_peer(lab, (host, 8998))
    server = lab.nginx("router", CONF, [ROUTER])
    for turn, fault in enumerate(("", "", "fin=40", "rst=40", "fin=1400")):
        headers = {"Host": "api.example.com", "User-Agent": "curl/8.5.0", "X-Lab-Fault": fault,
                   "X-Apigee-Message-Id": f"rrt-03b69eb1091c4a886-c-sy-7180-75981-{turn + 1}"}
        ask(ROUTER, f"/v1/orders?id={turn}", "GET", headers)
        time.sleep(0.2)
    # The second time both are taken for down.
    for _ in range(2):
        ask(ROUTER, "/retired/v1/stock", headers={"Host": "api.example.com"})
    leave("GET /v1/slow HTTP/1.1\r\nHost: api.example.com\r\nX-Lab-Fault: fin=900\r\n\r\n")
    leave("\x16\x03\x01\x02\r\n\r\n")
    time.sleep(1.2)
    server.stop()
    logs = lab.hop("router") / "logs"
    return {"apigee-router.log": (logs / "access.log").read_text()}


def leave(text):
    """A client that says something and does not wait for the answer."""
    with contextlib.suppress(OSError), socket.create_connection(ROUTER) as client:
        client.sendall(text.encode("latin-1"))
        time.sleep(0.1)
