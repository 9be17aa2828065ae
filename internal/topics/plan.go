package topics

import "strconv"

// Action is what a step does.
type Action string

// The actions of a plan.
const (
	Create Action = "create" // the topic is missing
	Alter  Action = "alter"  // one setting changes
	Keep   Action = "keep"   // the topic is as wanted
	Refuse Action = "refuse" // only a person can change this; nothing is done
)

// Step is one thing to do about a topic.
type Step struct {
	Action  Action
	Topic   Topic  // as wanted; what Create needs
	Setting string // of Alter and Refuse
	Found   string // of Alter and Refuse; "" where nothing was set
	Wanted  string // of Alter and Refuse
}

// Changes reports whether the step would change anything on the brokers.
func (s Step) Changes() bool { return s.Action == Create || s.Action == Alter }

// Plan says how to get from what was found to what is wanted, in the order of
// Names. It never plans a change of a partition count or of a replication:
// those are refused and left to a person. After the plan was carried out, the
// next one keeps everything that this one did not refuse.
func Plan(o Options, found map[string]Topic) []Step {
	var steps []Step
	for _, want := range wanted(o, found) {
		got, ok := found[want.Name]
		if !ok {
			steps = append(steps, Step{Action: Create, Topic: want})
			continue
		}
		of := planTopic(want, got, found[CustomerEvents])
		if len(of) == 0 {
			of = []Step{{Action: Keep, Topic: want}}
		}
		steps = append(steps, of...)
	}
	return steps
}

// planTopic compares one topic that exists.
func planTopic(want, got, input Topic) (steps []Step) {
	for _, m := range checkShape(want, got, input) {
		w := strconv.Itoa(int(want.Partitions))
		if m.Setting == replicationFactor {
			w = strconv.Itoa(int(input.Replication))
		}
		steps = append(steps, Step{Action: Refuse, Topic: want, Setting: m.Setting, Found: m.Got, Wanted: w})
	}
	for _, setting := range sorted(want.Config) {
		if w := want.Config[setting]; !satisfies(got, setting, w) {
			steps = append(steps, Step{Action: Alter, Topic: want, Setting: setting, Found: got.Config[setting], Wanted: w})
		}
	}
	return steps
}
