import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.concurrent.Executors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/** A service that asks another one and answers 502 with the exception in its log: {@code Orders HOST PORT UPSTREAM}. */
public class Orders {
    private static final Logger LOG = LoggerFactory.getLogger("com.example.orders.Orders");

    public static void main(String[] args) throws Exception {
        var server = HttpServer.create(new InetSocketAddress(args[0], Integer.parseInt(args[1])), 0);
        var client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(1)).build();
        server.setExecutor(Executors.newFixedThreadPool(2));
        server.createContext("/", exchange -> {
            var begun = System.nanoTime();
            var headers = exchange.getRequestHeaders();
            MDC.put("requestId", headers.getFirst("X-Request-ID"));
            MDC.put("method", exchange.getRequestMethod());
            MDC.put("path", exchange.getRequestURI().toString());
            var status = 200;
            try {
                var fault = headers.getFirst("X-Lab-Fault");
                var request = HttpRequest.newBuilder(URI.create(args[2] + exchange.getRequestURI()))
                    .timeout(Duration.ofMillis(1500)).header("X-Lab-Fault", fault == null ? "" : fault).build();
                status = client.send(request, BodyHandlers.ofString()).statusCode();
            } catch (Exception error) {
                status = 502;
                LOG.error("calling the stock service failed", error);
            }
            MDC.put("status", Integer.toString(status));
            MDC.put("duration_ms", Long.toString((System.nanoTime() - begun) / 1_000_000));
            LOG.info("request completed");
            MDC.clear();
            exchange.sendResponseHeaders(status, -1);
            exchange.close();
        });
        server.start();
        LOG.info("listening on port {}", args[1]);
    }
}
