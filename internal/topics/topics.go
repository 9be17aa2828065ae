// Package topics holds the names, settings and partition counts of the topics,
// and the one hasher, as values. It knows no client.
package topics

// The names that every process agrees on.
const (
	Group          = "billing" // the processor group
	CustomerEvents = "customer.events"
	BillingTable   = "billing-table" // the changelog of the group table
	BillingUpdates = "billing.updates"
	DeadLetters    = "billing.dlq"
)

// Topic is a topic as it is wanted or as it was found.
type Topic struct {
	Name        string
	ID          string // the broker's topic id; "" for a wanted topic
	Partitions  int32
	Replication int16
	Config      map[string]string // only the settings that matter; nil: they are hidden from us
}
