package app

import "time"

// Status is the body of /statusz. It never holds a customer id.
type Status struct {
	Version    string            `json:"version"`
	Instance   string            `json:"instance"`
	State      state             `json:"state"`
	Since      time.Time         `json:"since"`
	Guarantee  string            `json:"guarantee"`
	Broker     string            `json:"broker"` // kafka or embedded
	ConfigHash string            `json:"config_hash"`
	Checks     []CheckResult     `json:"checks"`
	Topology   Topology          `json:"topology"`
	Partitions []PartitionStatus `json:"partitions"`
	Commit     CommitStatus      `json:"commit"`
	Store      StoreStatus       `json:"store"`
}

// Topology is what the group reads and writes.
type Topology struct {
	Inputs     []string `json:"inputs"`
	Table      string   `json:"table"`
	Outputs    []string `json:"outputs"`
	Partitions int32    `json:"partitions"`
}

// PartitionStatus is one partition in one role. Committed, End and Lag are of
// customer.events, null while unknown.
type PartitionStatus struct {
	Partition  int32          `json:"partition"`
	Role       string         `json:"role"`
	State      string         `json:"state"`
	Committed  *int64         `json:"committed"`
	End        *int64         `json:"end"`
	LagRecords *int64         `json:"lag_records"`
	LagSeconds *float64       `json:"lag_seconds"`
	Recovery   RecoveryStatus `json:"recovery"`
}

// RecoveryStatus is how far the recovery of a partition has come, in records.
// ETASeconds is null while unknown.
type RecoveryStatus struct {
	Done       int64    `json:"done"`
	Target     int64    `json:"target"`
	Rate       float64  `json:"rate"`
	ETASeconds *float64 `json:"eta_seconds"`
}

// CommitStatus is how often the group commits.
type CommitStatus struct {
	IntervalMS int64 `json:"interval_ms"`
}

// StoreStatus is where the state stands.
type StoreStatus struct {
	Kind string `json:"kind"`
	Dir  string `json:"dir"`
}
