// Package eos makes a goka processor safe to bill with, from outside: it stands
// behind goka's builders and leaves goka as it is. It runs the group's sessions
// one after the other, commits an offset only when everything below it is done,
// lets a write wait for the output of its key before it, keeps the consumed
// records as Kafka delivered them for the callbacks, and lets nobody read a
// table that has not been recovered to its end.
//
// It knows keys and bytes, not customers. DESIGN.md has the flow and what
// happens when something dies.
package eos
