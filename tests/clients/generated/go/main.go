// main URL SEAT SEAT: what a client that oapi-codegen made does with the program.
package main

import (
	"context"
	"log"
	"os"

	"holdfast.test/generated/client"
)

func check(is bool, what string, seen any) {
	if !is {
		log.Fatalf("%s: %+v", what, seen)
	}
}

func hold(api *client.ClientWithResponses, customer string, seats []string, key string) *client.CreateReservationResponse {
	var body client.NewReservation
	if err := body.FromHoldSeats(client.HoldSeats{CustomerId: &customer, SeatIds: seats}); err != nil {
		log.Fatal(err)
	}
	answer, err := api.CreateReservationWithResponse(context.Background(), &client.CreateReservationParams{IdempotencyKey: &key}, body)
	if err != nil {
		log.Fatal(err)
	}
	return answer
}

func main() {
	url, seat, otherSeat := os.Args[1], os.Args[2], os.Args[3]
	api, err := client.NewClientWithResponses(url)
	if err != nil {
		log.Fatal(err)
	}

	held := hold(api, "anna", []string{seat}, "go-1")
	check(held.JSON201 != nil && held.JSON201.Status == client.ReservationStatusActive, "held", string(held.Body))

	refused := hold(api, "bert", []string{seat, otherSeat}, "go-2")
	conflict := refused.ApplicationproblemJSON409
	check(conflict != nil && conflict.Code == client.HoldConflictCodeSeatUnavailable, "refused", string(refused.Body))
	check(conflict.SeatIds != nil && len(*conflict.SeatIds) == 1 && (*conflict.SeatIds)[0] == seat, "refused for its seat", string(refused.Body))

	again := hold(api, "anna", []string{seat}, "go-1")
	check(again.JSON201 != nil && again.JSON201.Id == held.JSON201.Id, "repeated", string(again.Body))
	check(again.HTTPResponse.Header.Get("Idempotency-Replayed") == "true", "marked as repeated", again.HTTPResponse.Header)

	sold, err := api.ConsumeReservationWithResponse(context.Background(), held.JSON201.Id, nil, client.ConsumeReservationJSONRequestBody{OrderId: "order-1"})
	if err != nil {
		log.Fatal(err)
	}
	check(sold.JSON200 != nil && sold.JSON200.Status == client.ReservationStatusConsumed, "sold", string(sold.Body))
}
