package kafkatest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Options says what cluster is wanted. The zero value is one broker without
// security.
type Options struct {
	Brokers int    // 1 or 3; 0 means 1
	Dir     string // of data and logs; "" is a temporary one that Close removes

	// Features are finalised from the beginning, as in transaction.version: "1".
	Features map[string]string
	// Config is set on every broker, after the harness's own settings.
	Config map[string]string
	// Listeners are further ones beside PLAINTEXT, by name. What they need goes
	// into Config as listener.name.<lower-case name>.<setting>.
	Listeners []Listener
	// Foreign allows the cluster of BILLSTREAM_TEST_BROKERS, which others may
	// use: the test makes topics under names of its own, and takes them away.
	Foreign bool
	// JVM are further arguments of every broker's Java.
	JVM []string
}

// Listener is an address of every broker with a protocol of its own.
type Listener struct {
	Name     string // in capitals, such as LOGIN
	Protocol string // SSL, SASL_PLAINTEXT, SASL_SSL
}

const (
	plaintext  = "PLAINTEXT"
	controller = "CONTROLLER"
)

// withDefaults fills in what is not said, and refuses what cannot be.
func (o Options) withDefaults() (Options, error) {
	o.Brokers = cmp.Or(o.Brokers, 1)
	if o.Brokers != 1 && o.Brokers != 3 {
		return o, fmt.Errorf("brokers are %d, want 1 or 3", o.Brokers)
	}
	for _, l := range o.Listeners {
		if l.Name == plaintext || l.Name == controller || l.Name == "" {
			return o, errors.New("name of a listener is " + l.Name + ", want one of your own")
		}
	}
	return o, nil
}

// settings are the server.properties of a broker.
func (o Options) settings(n node, all []node, dir string) string {
	voters := make([]string, len(all))
	for i, v := range all {
		voters[i] = fmt.Sprintf("%d@%s", v.id, v.controller)
	}
	listeners := []string{plaintext + "://" + n.plain}
	protocols := []string{plaintext + ":PLAINTEXT", controller + ":PLAINTEXT"}
	for i, l := range o.Listeners {
		listeners = append(listeners, l.Name+"://"+n.more[i])
		protocols = append(protocols, l.Name+":"+l.Protocol)
	}
	copies := fmt.Sprint(o.Brokers)
	s := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        fmt.Sprint(n.id),
		"controller.quorum.voters":       strings.Join(voters, ","),
		"listeners":                      strings.Join(append(slices.Clone(listeners), controller+"://"+n.controller), ","),
		"advertised.listeners":           strings.Join(listeners, ","),
		"controller.listener.names":      controller,
		"inter.broker.listener.name":     plaintext,
		"listener.security.protocol.map": strings.Join(protocols, ","),
		"log.dirs":                       dir,

		"default.replication.factor":                       copies,
		"min.insync.replicas":                              fmt.Sprint(o.Brokers/2 + 1),
		"offsets.topic.replication.factor":                 copies,
		"transaction.state.log.replication.factor":         copies,
		"transaction.state.log.min.isr":                    fmt.Sprint(o.Brokers/2 + 1),
		"share.coordinator.state.topic.replication.factor": copies,
		"offsets.topic.num.partitions":                     "8", // enough to spread coordinators, quick to make
		"transaction.state.log.num.partitions":             "8",
		"group.initial.rebalance.delay.ms":                 "0",
		"group.min.session.timeout.ms":                     "1000",
		"auto.create.topics.enable":                        "false",
		"log.cleaner.dedupe.buffer.size":                   "33554432",
	}
	maps.Copy(s, o.Config)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&text, "%s=%s\n", name, s[name])
	}
	return text.String()
}
