// Package views is the read side: it answers over HTTP from a copy of the
// accounts that goka keeps up to date from billing-table.
//
//	GET /v1/accounts/{customer}   one account      ─┐ read the partitions
//	GET /v1/accounts              page of accounts  │ of the view, each
//	POST /v1/accounts:batchGet    many accounts    ─┘ once it is ready
//	POST /v1/events               events in: checked, then handed to Config.Emit
//	GET /openapi.json             this API, for machines
//	GET /problems/{code}          what an error means
//	GET /                         the console page
//
// It starts with config.go; account.go is what a look-up does; problem.go is
// the one place where an error becomes a status. The front (front.go) is what
// the admin listener uses as well.
package views
