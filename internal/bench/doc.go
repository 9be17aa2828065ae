// Package bench compares ways of running one and the same small job on Kafka:
// goka as it comes, and ours with either guarantee. Every arm is a process of
// its own on the same input bytes, and gives a figure only if its output is
// right. Nothing here says how fast is fast enough.
package bench

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
)

// Ways returns all arms, in the order of reports; the first three are those
// that are compared unless others are asked for.
func Ways() []Way { return []Way{Stock, AtLeastOnce, ExactlyOnce, Unpositioned} }
