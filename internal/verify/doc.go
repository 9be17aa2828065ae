// Package verify judges what the processor left in Kafka. It reads the topics
// with a client and a decoder of its own, folds the input once more and
// compares record by record. See DESIGN.md.
package verify
