package app

import (
	"time"

	"billstream/internal/eos"
	"billstream/internal/kafka"
	"billstream/internal/topics"
)

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
	Group      *GroupStatus      `json:"group"` // null without the role processor
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

// GroupStatus is how this member stands in the processor group.
type GroupStatus struct {
	Name       string     `json:"name"`
	Generation int32      `json:"generation"`
	Running    bool       `json:"running"`
	Reason     string     `json:"reason,omitempty"` // why it is not running
	Since      time.Time  `json:"since"`            // when running last changed
	Partitions []int32    `json:"partitions"`
	LastCommit *time.Time `json:"last_commit"` // null before the first
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
	BlockedBy  *Blocker `json:"blocked_by,omitempty"`
}

// Blocker is an open transaction that a recovery waits for.
type Blocker struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"` // its first
	Seconds   float64 `json:"seconds"`
}

// CommitStatus is how often the group commits.
type CommitStatus struct {
	IntervalMS    int64      `json:"interval_ms"` // the longest
	Last          *time.Time `json:"last"`        // null before the first
	StagedRecords int64      `json:"staged_records"`
	StagedBytes   int64      `json:"staged_bytes"`
	EpochAgeMS    int64      `json:"epoch_age_ms"`
}

// StoreStatus is where the state stands.
type StoreStatus struct {
	Kind string `json:"kind"`
	Dir  string `json:"dir"`
}

// status describes the process for /statusz.
func (a *App) status() Status {
	_, checks := a.ask()
	s := Status{
		Version: a.opt.Version, Instance: a.cfg.InstanceID, State: a.life.state(), Since: a.began,
		Guarantee: a.cfg.Guarantee, Broker: a.cfg.brokerKind(), ConfigHash: a.opt.ConfigHash, Checks: checks,
		Topology: Topology{
			Inputs: []string{topics.CustomerEvents}, Table: topics.BillingTable,
			Outputs: []string{topics.BillingUpdates, topics.DeadLetters}, Partitions: a.cfg.Partitions,
		},
		Partitions: []PartitionStatus{},
		Commit:     CommitStatus{IntervalMS: a.cfg.CommitInterval.Milliseconds()},
		Store:      StoreStatus{Kind: a.cfg.Store, Dir: a.cfg.DataDir},
	}
	if !a.built.Load() {
		return s
	}
	s.Topology.Partitions = a.input.Partitions
	lag := map[int32]kafka.PartitionLag{}
	for _, l := range a.lag.Last().Partitions {
		lag[l.Partition] = l
	}
	if a.group != nil {
		e := a.group.engine.Status()
		s.Group = groupStatus(e)
		s.Commit.Last = s.Group.LastCommit
		s.Commit.StagedRecords, s.Commit.StagedBytes, s.Commit.EpochAgeMS = e.StagedRecords, e.StagedBytes, e.EpochAge.Milliseconds()
		s.Partitions = append(s.Partitions, partitionStatus(eos.Active, a.group.recovery, lag)...)
	}
	if a.view != nil {
		s.Partitions = append(s.Partitions, partitionStatus(eos.View, a.view.recovery, nil)...)
	}
	return s
}

func groupStatus(e eos.Status) *GroupStatus {
	g := &GroupStatus{
		Name: topics.Group, Generation: e.Generation, Running: e.Running, Reason: e.Reason, Since: e.Since,
		Partitions: append([]int32{}, e.Partitions...),
	}
	if !e.LastCommit.IsZero() {
		g.LastCommit = &e.LastCommit
	}
	return g
}

func partitionStatus(role eos.Role, r *eos.Recovery, lag map[int32]kafka.PartitionLag) []PartitionStatus {
	var all []PartitionStatus
	for _, p := range r.Progress() {
		s := PartitionStatus{
			Partition: p.Partition, Role: string(role), State: p.State,
			Recovery: RecoveryStatus{Done: p.Done, Target: p.Target, Rate: p.Rate},
		}
		if p.ETA >= 0 {
			s.Recovery.ETASeconds = new(p.ETA.Seconds())
		}
		if p.Blocked > 0 {
			s.Recovery.BlockedBy = &Blocker{Topic: topics.BillingTable, Partition: p.Partition, Offset: p.BlockedAt, Seconds: p.Blocked.Seconds()}
		}
		if l, ok := lag[p.Partition]; ok {
			s.End, s.LagRecords, s.LagSeconds = new(l.Stable), new(l.Records), new(l.Age.Seconds())
			if l.Committed >= 0 {
				s.Committed = new(l.Committed)
			}
		}
		all = append(all, s)
	}
	return all
}
