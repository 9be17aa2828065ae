// Package writer makes epochs durable over franz-go: as one Kafka transaction,
// or, at least once, in an order of writes that loses nothing.
package writer
