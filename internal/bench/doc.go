// Package bench compares ways of running one and the same small job on Kafka:
// goka as it comes, ours with either guarantee, a bare loop that shows how
// little is possible, and Kafka Streams. Every arm is a process of its own on
// the same input bytes, and gives a figure only if its output is right. Nothing
// here says how fast is fast enough.
package bench

import (
	"strings"

	"billstream/internal/bench/kstreams"
)

// Way is one way of running the job: an arm of the comparison.
type Way string

// The arms.
const (
	Stock       Way = "stock" // goka's defaults but for the oldest offset and Kafka's hasher; JSON rows, leveldb
	AtLeastOnce Way = "alo"   // our engine with the plain writer
	ExactlyOnce Way = "eos"   // our engine with the transactional writer

	// Unpositioned is ExactlyOnce without position rows, which tells what they
	// cost. Views and checkers could not work with it.
	Unpositioned Way = "eos-unpositioned"

	// Floor is a bare client loop with the transactional writer: rows in a map,
	// one goroutine, and no recovery.
	Floor Way = "floor"

	// Kafka Streams by guarantee and store; those in memory end in -mem. They
	// need Java, and a broker that is Apache Kafka.
	StreamsALO       Way = kstreams.AtLeastOnce
	StreamsALOMemory Way = kstreams.AtLeastOnceMemory
	StreamsEOS       Way = kstreams.ExactlyOnce
	StreamsEOSMemory Way = kstreams.ExactlyOnceMemory
)

// Ways returns all arms, in the order of reports; the first three are those
// that are compared unless others are asked for.
func Ways() []Way {
	return []Way{
		Stock, AtLeastOnce, ExactlyOnce, Unpositioned, Floor,
		StreamsALO, StreamsALOMemory, StreamsEOS, StreamsEOSMemory,
	}
}

// streams tells whether w is Kafka Streams.
func (w Way) streams() bool { return strings.HasPrefix(string(w), "kstreams-") }

// recovers tells whether a new process of w finds what the last one left.
func (w Way) recovers() bool { return w != Floor }

// repeats tells whether w may do what it has done again after somebody came or
// went.
func (w Way) repeats() bool {
	return w == Stock || w == AtLeastOnce || w == StreamsALO || w == StreamsALOMemory
}
