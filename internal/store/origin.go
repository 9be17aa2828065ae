package store

import "fmt"

// Origin says where rows are from.
type Origin struct {
	Cluster    string // id of the Kafka cluster
	Topic      string // the changelog
	TopicID    string // tells a topic from a later one of the same name
	Partition  int32
	Partitions int32 // of the topic
}

// UnusableError says that what lies on the disk cannot serve, so that the rows
// must come from the changelog.
type UnusableError struct {
	Reason string // missing, corrupt, foreign, stale or version
	File   string // or directory
	Err    error  // what is, and what was wanted
}

func (e *UnusableError) Error() string {
	return fmt.Sprintf("%s is %s: %v", e.File, e.Reason, e.Err)
}

func (e *UnusableError) Unwrap() error { return e.Err }
