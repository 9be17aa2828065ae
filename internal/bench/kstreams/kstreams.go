// Package kstreams is Kafka Streams doing the job of the bench: the same events,
// rows and updates, byte for byte, by a program in Java that stands beside this
// file and answers the bench as its other children do. It is there to be
// compared with, and for nothing else.
//
// The Java program needs a JDK of 17 or newer and Maven 3; nothing of it is
// built before Command is called.
package kstreams

import "context"

// Ways of the twin, by guarantee and store: what the bench's spec may say. Those
// that end in "-mem" keep rows in memory, the others in RocksDB.
const (
	AtLeastOnce       = "kstreams-alo"
	AtLeastOnceMemory = "kstreams-alo-mem"
	ExactlyOnce       = "kstreams-eos"
	ExactlyOnceMemory = "kstreams-eos-mem"
)

// Changelog is the topic in which the twin keeps the rows of a group. Kafka
// Streams makes the name from the group's and the store's, and there is no
// other way to it. The topic must be there, compacted, with as many partitions
// as the input.
func Changelog(group string) string { return group + "-table-changelog" }

// Command returns the command of a child that speaks the bench's dialogue. The
// program is built when the sources are new to the directory cache, which takes
// Maven a minute and a network at the first time; "" is one below the user's
// own. Several processes may ask at once. progress, which may be nil, hears
// what takes long.
//
// The first line that the child reads says what to be. Beside the bench's own
// fields it may have "threads", the stream threads, 1 unless said, and
// "instance", which tells a second member of a group from the first.
func Command(ctx context.Context, cache string, progress func(string)) ([]string, error) {
	if err := toRun(ctx); err != nil {
		return nil, err
	}
	dir, err := build(ctx, cache, progress)
	if err != nil {
		return nil, err
	}
	return command(dir), nil
}
