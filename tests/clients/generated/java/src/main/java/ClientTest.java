import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import test.holdfast.client.ApiClient;
import test.holdfast.client.ApiException;
import test.holdfast.client.ApiResponse;
import test.holdfast.client.api.ReservationsApi;
import test.holdfast.client.api.WebhooksApi;
import test.holdfast.client.model.ConsumeReservationRequest;
import test.holdfast.client.model.HoldConflict;
import test.holdfast.client.model.HoldSeats;
import test.holdfast.client.model.NewReservation;
import test.holdfast.client.model.NewWebhook;
import test.holdfast.client.model.Reservation;
import test.holdfast.client.model.ReservationStatus;

/** ClientTest URL SEAT SEAT: what a client that openapi-generator made does with the program. */
public class ClientTest {
  private final ApiClient client = new ApiClient();
  private final ReservationsApi reservations;

  private ClientTest(String url) {
    client.updateBaseUri(url);
    reservations = new ReservationsApi(client);
  }

  private static void check(boolean is, String what, Object seen) {
    if (!is) throw new AssertionError(what + ": " + seen);
  }

  private ApiResponse<Reservation> hold(String customer, List<String> seats, String key) throws ApiException {
    NewReservation body = new NewReservation(new HoldSeats().customerId(customer).seatIds(seats));
    return reservations.createReservationWithHttpInfo(body, key, null, null);
  }

  private void run(String seat, String otherSeat) throws Exception {
    ApiResponse<Reservation> held = hold("anna", List.of(seat), "java-1");
    check(held.getStatusCode() == 201 && held.getData().getStatus() == ReservationStatus.ACTIVE, "held", held.getData());

    try {
      ApiResponse<Reservation> none = hold("bert", List.of(seat, otherSeat), "java-2");
      throw new AssertionError("a seat was held twice: " + none.getData());
    } catch (ApiException refused) {
      check(refused.getCode() == 409, "refused", refused);
      HoldConflict conflict = new ObjectMapper().readValue(refused.getResponseBody(), HoldConflict.class);
      check(conflict.getCode() == HoldConflict.CodeEnum.SEAT_UNAVAILABLE, "refused by its code", conflict);
      check(conflict.getSeatIds().equals(List.of(seat)), "refused for its seat", conflict);
    }

    ApiResponse<Reservation> again = hold("anna", List.of(seat), "java-1");
    check(again.getData().getId().equals(held.getData().getId()), "repeated", again.getData());
    check(again.getHeaders().get("idempotency-replayed").equals(List.of("true")), "marked as repeated", again.getHeaders());

    Reservation sold =
        reservations.consumeReservation(held.getData().getId(), new ConsumeReservationRequest().orderId("order-1"), null, null, null);
    check(sold.getStatus() == ReservationStatus.CONSUMED && "order-1".equals(sold.getOrderId()), "sold", sold);

    // What is sent to a receiver has a tag of its own: it once took the place of these.
    WebhooksApi webhooks = new WebhooksApi(client);
    try {
      webhooks.createWebhook(new NewWebhook().url(java.net.URI.create("http://127.0.0.1:1/")), null, null, null);
      throw new AssertionError("a webhook to an address that is not allowed was taken");
    } catch (ApiException refused) {
      check(refused.getCode() == 400 || refused.getCode() == 422, "refused", refused);
    }
    check(webhooks.listWebhooks(null).getItems().isEmpty(), "no webhooks", "some");
  }

  public static void main(String[] arguments) throws Exception {
    new ClientTest(arguments[0]).run(arguments[1], arguments[2]);
  }
}
