//go:build apache

package app_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/codecs"
	"billstream/internal/app"
	"billstream/internal/auth"
	"billstream/internal/kafka"
	"billstream/internal/kafkatest"
	"billstream/internal/topics"
	"billstream/internal/verify"
)

// role has a user of a role with its rights.
type role struct {
	*fortress
	principal string
	rights    []topics.ACL
	c         auth.Config
}

func (f *fortress) role(t *testing.T, r topics.Role) role {
	t.Helper()
	principal := topics.Principal("", r)
	of := role{f, principal, topics.ACLs(r), f.scram(t, strings.TrimPrefix(principal, "User:"))}
	f.give(principal, of.rights...)
	return of
}

// each takes one right after the other away, and has try see what breaks.
func (r role) each(t *testing.T, try func(t *testing.T, a topics.ACL)) {
	t.Helper()
	for _, a := range r.rights {
		t.Run("without "+name(a), func(t *testing.T) {
			r.guard.t = t
			r.take(r.principal, a)
			defer r.give(r.principal, a)
			try(t, a)
		})
	}
	r.guard.t = t
}

// TestRightsOnARealKafka shows of the printed rights of each role that they are
// enough, and that none is too much, on one broker.
func TestRightsOnARealKafka(t *testing.T) {
	f := newFortress(t)
	t.Run("commands", f.commands)
	t.Run("processor", f.processes)
	t.Run("processor at work", f.processesOn)
	t.Run("other roles", f.others)
}

// processes starts the process with its list of rights, and with the list but
// one, for each.
func (f *fortress) processes(t *testing.T) {
	f.guard.t = t
	r := f.role(t, topics.Processor)
	c := f.process(t, "SCRAM", r.c)
	c.BrokerWait = time.Second
	run := func(t *testing.T) (*process, *words) {
		said := &words{also: t.Output()}
		c.DataDir = t.TempDir()
		return begin(t, c, said), said
	}
	first, said := run(t)
	first.getsReady(40 * time.Second)
	f.send(record("bad", "no event"))
	f.send(renamed(t, "c-1", "with all"))
	first.knows("c-1", "with all", 10*time.Second)
	if text := said.String(); strings.Contains(text, "hidden") || strings.Contains(text, "missing") {
		t.Errorf("with all rights, something is hidden or missing: %s", text)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	// What a right serves shows at the start or in what is not ready.
	refused := func(sentence string) func(*testing.T, *process, *words) {
		return func(t *testing.T, p *process, _ *words) {
			<-p.ended
			if err := p.result(); !kafka.Denied(err) || !strings.Contains(err.Error(), sentence) {
				t.Errorf("start ended with %v, want a denial with %q", err, sentence)
			}
		}
	}
	unready := func(check string) func(*testing.T, *process, *words) {
		return func(t *testing.T, p *process, _ *words) {
			f.send(renamed(t, "c-1", t.Name()))
			p.losesReady(check, 40*time.Second)
			p.eventually("kept from work", 10*time.Second, func() (bool, string) {
				u := p.unready()
				return strings.Contains(u, check), u
			})
			if _, body, err := get(p.app.Addresses().Data, "/v1/accounts/c-1"); err == nil && strings.Contains(string(body), t.Name()) {
				t.Errorf("account is %s, want the event not processed", body)
			}
		}
	}
	hidden := func(topic string) func(*testing.T, *process, *words) {
		return func(t *testing.T, p *process, said *words) {
			p.getsReady(60 * time.Second)
			if want := "warning: topic " + topic + ": settings are hidden"; !strings.Contains(said.String(), want) {
				t.Errorf("notices are %s, want %q among them", said, want)
			}
		}
	}
	breaks := map[string]func(*testing.T, *process, *words){
		"READ topic customer.events":      refused("look at topic customer.events"),
		"WRITE topic billing.updates":     refused("look at topic billing.updates"),
		"WRITE topic billing.dlq":         refused("look at topic billing.dlq"),
		"READ topic billing-table":        refused("read topic billing-table"),
		"WRITE topic billing-table":       unready("right to commit"),
		"READ group billing":              refused("join group billing"),
		"WRITE transactional-id billing-": unready("right to begin transactions"),
	}
	for _, topic := range topics.Names() {
		breaks["DESCRIBE_CONFIGS topic "+topic] = hidden(topic)
	}
	r.each(t, func(t *testing.T, a topics.ACL) {
		p, said := run(t)
		breaks[name(a)](t, p, said)
		p.known = true
		if err := p.stop(); err != nil && !kafka.Denied(err) {
			t.Errorf("process ended with %v, want a denial or a clean stop", err)
		}
	})
}

// processesOn takes each right from the process at work, and gives it back.
func (f *fortress) processesOn(t *testing.T) {
	f.guard.t = t
	r := f.role(t, topics.Processor)
	p := begin(t, f.process(t, "SCRAM", r.c), t.Output())
	p.getsReady(40 * time.Second)
	why := map[string]string{
		"READ topic customer.events":      "right to read customer.events",
		"WRITE topic billing.updates":     "right to commit",
		"WRITE topic billing.dlq":         "right to commit",
		"READ topic billing-table":        "right to read billing-table",
		"WRITE topic billing-table":       "right to commit",
		"READ group billing":              "right to ", // commit, or join: whichever comes first
		"WRITE transactional-id billing-": "right to commit",
	}
	for i, a := range r.rights {
		if a.Operation != topics.DescribeConfigs { // which is for the start
			p.losesAndGetsBack(&f.guard, a, why[name(a)], fmt.Sprint("name ", i))
		}
	}
	if err := p.stop(); err != nil {
		t.Errorf("process ended with %v, want a clean stop", err)
	}
}

// others does the same for who looks, emits, checks and makes topics.
func (f *fortress) others(t *testing.T) {
	f.guard.t = t
	work := begin(t, f.process(t, "TLS", auth.Config{TLS: true, CAFile: f.caFile}), t.Output())
	work.getsReady(40 * time.Second)
	t.Run("operator", f.operates)
	f.guard.t = t
	f.send(record("bad", "no event"))
	work.knows("c-1", "sent", 10*time.Second)
	t.Run("view", f.views)
	if err := work.stop(); err != nil {
		t.Fatal(err)
	}
	t.Run("verify", f.verifies)
	t.Run("topics", f.makesTopics)
}

func (f *fortress) operates(t *testing.T) {
	f.guard.t = t
	r := f.role(t, topics.Operator)
	brokers := f.cluster.AddrsOf("SCRAM")
	send := func() error {
		e, err := app.OpenEvents(t.Context(), brokers, f.open(t, r.c), time.Second)
		if err != nil {
			return err
		}
		defer e.Close()
		sent, acked := renamed(t, "c-1", "sent"), make(chan error, 1)
		err = e.Send(t.Context(), codecs.Record{Partition: -1, Key: sent.Key, Value: sent.Value}, func(_ string, err error) { acked <- err })
		return errors.Join(err, <-acked)
	}
	read := func() error {
		k, err := kafka.OpenAdmin(t.Context(), kafka.Config{Brokers: brokers, Auth: f.open(t, r.c)}, time.Second)
		if err != nil {
			return err
		}
		defer k.Close()
		return k.MayRead(t.Context(), topics.DeadLetters)
	}
	if err := errors.Join(send(), read()); err != nil {
		t.Errorf("with all rights the error is %v, want none", err)
	}
	r.each(t, func(t *testing.T, a topics.ACL) {
		err := map[topics.Operation]func() error{topics.Write: send, topics.Read: read}[a.Operation]()
		if !kafka.Denied(err) {
			t.Errorf("error is %v, want a denial", err)
		}
	})
}

func (f *fortress) views(t *testing.T) {
	f.guard.t = t
	r := f.role(t, topics.Viewer)
	c := f.process(t, "SCRAM", r.c)
	c.Roles, c.BrokerWait = []string{app.RoleView}, time.Second
	p := begin(t, c, t.Output())
	p.getsReady(20 * time.Second)
	p.knows("c-1", "sent", 10*time.Second)
	r.each(t, func(t *testing.T, _ topics.ACL) {
		c.DataDir = t.TempDir()
		p := begin(t, c, t.Output())
		<-p.ended
		if err := p.result(); !kafka.Denied(err) {
			t.Errorf("start ended with %v, want a denial", err)
		}
	})
}

func (f *fortress) verifies(t *testing.T) {
	f.guard.t = t
	r := f.role(t, topics.Verifier)
	judge := func() *verify.Report {
		report, err := verify.Run(t.Context(), verify.Config{
			Brokers: f.cluster.AddrsOf("SCRAM"), Auth: f.open(t, r.c), ReadTimeout: 5 * time.Second, StableWait: time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if report := judge(); report.Exit() != verify.ExitGood {
		t.Errorf("with all rights the verdict is %+v, want a good one", report)
	}
	r.each(t, func(t *testing.T, _ topics.ACL) {
		if report := judge(); report.Exit() != verify.ExitIncomplete {
			t.Errorf("verdict is %+v, want that it could not be read to its end", report)
		}
	})
}

func (f *fortress) makesTopics(t *testing.T) {
	f.guard.t = t
	r := f.role(t, topics.Applier)
	apply := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := app.TopicsApply(ctx, f.topics(f.open(t, r.c)))
		return err
	}
	if err := f.fromScratch(t, apply); err != nil {
		t.Errorf("with all rights the error is %v, want none", err)
	}
	r.each(t, func(t *testing.T, a topics.ACL) {
		f.applyAs(t, nil)
		try := apply
		if a.Operation == topics.CreateIt {
			try = func() error { return f.fromScratch(t, apply, a.Name) }
		}
		err := try()
		if !kafka.Denied(err) && !strings.Contains(fmt.Sprint(err), "hidden") {
			t.Errorf("error is %v, want one about %s", err, a.Name)
		}
	})
}

// fromScratch applies after topics, all if none is named, are gone.
func (f *fortress) fromScratch(t *testing.T, apply func() error, names ...string) error {
	t.Helper()
	if names == nil {
		names = topics.Names()
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames, req.TimeoutMillis = names, 5000
	for _, n := range names {
		d := kmsg.NewDeleteTopicsRequestTopic()
		d.Topic = &n
		req.Topics = append(req.Topics, d)
	}
	if _, err := req.RequestWith(t.Context(), f.client); err != nil {
		t.Fatal(err)
	}
	return apply()
}

// commands has Kafka's own tool carry out two of the printed commands, of the
// two kinds that there are.
func (f *fortress) commands(t *testing.T) {
	f.guard.t = t
	libs, err := kafkatest.Libs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ran := map[string]bool{}
	for _, a := range topics.ACLs(topics.Processor) {
		if !a.Prefix && a.Operation != topics.DescribeConfigs || ran[string(a.Operation)] {
			continue
		}
		ran[string(a.Operation)] = true
		args := append([]string{"-cp", libs, "org.apache.kafka.tools.AclCommand", "--bootstrap-server", f.cluster.Addrs()[0]}, a.Command("User:tool")...)
		if out, err := exec.CommandContext(t.Context(), "java", args...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name(a), err, out)
		}
		f.take("User:tool", a) // fails unless it is there
	}
	if len(ran) != 2 {
		t.Errorf("commands that ran are %v, want two", ran)
	}
}
