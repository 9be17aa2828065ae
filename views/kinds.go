package views

import "net/http"

// kinds is the closed list of problems. Clients branch on the code and people
// read the page, so an entry may gain words, but is never changed or removed.
var kinds = []kind{
	{
		InvalidRequest, http.StatusBadRequest, "Invalid request",
		`A query parameter, a header or the body is not what the route takes. The member "parameter" names the query parameter or the member of the body, if it is one. Unknown and repeated parameters are refused as well: a misspelt filter would otherwise return everything.`,
	},
	{
		InvalidCustomerID, http.StatusBadRequest, "Invalid customer id",
		`A customer id is 1 to 512 bytes of UTF-8 without control characters and does not begin with "~". In a URL it is percent-encoded: the id a/b is /v1/accounts/a%2Fb.`,
	},
	{
		InvalidPosition, http.StatusBadRequest, "Invalid position",
		`Billing-Min-Position holds something that is no position of customer.events, or a partition that does not exist. Send back what an answer gave as Billing-Position: customer.events/3@188, several joined by commas. An offset that no event has yet is fine.`,
	},
	{
		InvalidCursor, http.StatusBadRequest, "Invalid cursor",
		`The cursor is not one that this server made, or it belongs to other filters. Send next_cursor of the page before, with the same filters; the limit may change.`,
	},
	{
		MalformedBody, http.StatusBadRequest, "Malformed body",
		`The body is not JSON in UTF-8, or not what the route takes: an object with ids, an event (an object), or a batch of events (an array). Nothing was sent.`,
	},
	{
		Forbidden, http.StatusForbidden, "Forbidden",
		`A browser sent this request from another site. What is posted is taken from pages of this server's own origin, and from programs that are no browsers.`,
	},
	{
		IngestOff, http.StatusForbidden, "Events are not taken here",
		`POST /v1/events is switched off. Where the Customer system owns customer.events, it publishes there itself; with the embedded broker the route is on. The flag is --ingest.`,
	},
	{
		UnknownAccount, http.StatusNotFound, "Unknown account",
		`No update has been published for this customer id. Ids are compared byte for byte; spaces and case count. An event that was accepted a moment ago may not have been processed yet.`,
	},
	{
		UnknownRoute, http.StatusNotFound, "Unknown route",
		`There is nothing at this path. /openapi.json lists every route.`,
	},
	{
		MethodNotAllowed, http.StatusMethodNotAllowed, "Method not allowed",
		`The path is there, the method is not. The header Allow lists those that are. Accounts are never changed directly: the only way in is an event.`,
	},
	{
		Erased, http.StatusGone, "The customer was erased",
		`The customer's personal data was removed for good at the instant in "erased_at". The id does not come back to life.`,
	},
	{
		TooLarge, http.StatusRequestEntityTooLarge, "Too large",
		`The body, one event or the number of events in a batch is over the limit. The member "limit" is the limit, in bytes or events; "detail" says of what. Nothing was sent.`,
	},
	{
		URITooLong, http.StatusRequestURITooLong, "URL too long",
		`The URL is longer than "limit" bytes.`,
	},
	{
		UnsupportedMediaType, http.StatusUnsupportedMediaType, "Unsupported media type",
		`Ids to look up come as application/json. Events come as application/cloudevents+json (one), application/cloudevents-batch+json (an array), or application/json with the attributes in ce- headers (binary mode of the CloudEvents HTTP binding); without Content-Encoding.`,
	},
	{
		InvalidEvent, http.StatusUnprocessableEntity, "Invalid event",
		`At least one event would be refused by the processor. "errors" says for each which event of the request it is (index, from 0), the code of the refusal, the JSON pointer of the member at fault, and what is wanted. Nothing was sent, also not the good ones.`,
	},
	{
		Internal, http.StatusInternalServerError, "Internal error",
		`A fault of this server. The log of the server has a line with the same "request_id".`,
	},
	{
		Recovering, http.StatusServiceUnavailable, "Recovering",
		`The part of the accounts that the answer needs is still being read from the changelog; "remaining_records" are left. Until it is complete there is no answer, since an account may look unknown that is not. Try again after the seconds in Retry-After.`,
	},
	{
		ViewBehind, http.StatusServiceUnavailable, "The view is behind the asked position",
		`The answer was to include what Billing-Min-Position names, and the view did not get there in the time of Prefer: wait (seconds, at most 30; 5 if not given). "position" is how far it is where it is behind. Try again, or ask without the header for what is there.`,
	},
	{
		BrokerUnavailable, http.StatusServiceUnavailable, "The broker is not available",
		`The events were not acknowledged in time. Some of a batch may be in. Send the same request again: source and id make a repeat harmless.`,
	},
	{
		Overload, http.StatusServiceUnavailable, "Overloaded",
		`The server works on as many requests as it may. Try again after the seconds in Retry-After.`,
	},
	{
		Draining, http.StatusServiceUnavailable, "Shutting down",
		`This instance is about to stop and takes no new requests. Try again: another instance, or this one after its restart, answers.`,
	},
}

// tooLarge says that what is over limit.
func tooLarge(detail string, limit int64) *Problem {
	return &Problem{Code: TooLarge, Limit: limit, Detail: detail}
}
