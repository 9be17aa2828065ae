// Package processors holds the goka processor group: its topology, its
// callback, its dead letters and its counters. The rules are in package
// billing; how records reach Kafka is the business of the options that the
// group is run with.
//
//	customer.events ──► process ──► billing.updates
//	   partition p        │  ▲
//	                      │  └── row ── billing-table, partition p
//	                      ├─────────► billing-table
//	                      └─────────► billing.dlq
//
// One goroutine per partition takes the records in offset order. For each:
//
//	intake ─► decide ─► write ─► ledger
//	          │  ID, partition, replay guard
//	          └─ fold: DecodeEvent ─► Event.Check ─► billing.Apply ─► AppendRow
//
// decide always ends in one verdict. A record that cannot be applied becomes a
// dead letter with its original bytes, and the next one is processed.
package processors
