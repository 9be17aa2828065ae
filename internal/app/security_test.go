package app_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"billstream/internal/app"
	"billstream/internal/auth"
	"billstream/internal/auth/authtest"
	"billstream/internal/topics"
)

// kinds and operations are the words of topics as Kafka's protocol has them.
var (
	kinds = map[topics.Resource]kmsg.ACLResourceType{
		topics.TopicResource: kmsg.ACLResourceTypeTopic, topics.GroupResource: kmsg.ACLResourceTypeGroup,
		topics.TransactionalResource: kmsg.ACLResourceTypeTransactionalId,
	}
	operations = map[topics.Operation]kmsg.ACLOperation{
		topics.Read: kmsg.ACLOperationRead, topics.Write: kmsg.ACLOperationWrite, topics.CreateIt: kmsg.ACLOperationCreate,
		topics.Describe: kmsg.ACLOperationDescribe, topics.DescribeConfigs: kmsg.ACLOperationDescribeConfigs, topics.AlterConfigs: kmsg.ACLOperationAlterConfigs,
	}
)

func pattern(a topics.ACL) kmsg.ACLResourcePatternType {
	if a.Prefix {
		return kmsg.ACLResourcePatternTypePrefixed
	}
	return kmsg.ACLResourcePatternTypeLiteral
}

// guard gives rights and takes them away. A broker takes its metadata from the
// controller after that has answered, so both wait until the broker has them.
type guard struct {
	t      *testing.T
	client *kgo.Client // of somebody who may
}

func (g *guard) give(principal string, acls ...topics.ACL) {
	g.t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, a := range acls {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourceName, c.ResourcePatternType = kinds[a.Resource], a.Name, pattern(a)
		c.Principal, c.Host, c.Operation, c.PermissionType = principal, "*", operations[a.Operation], kmsg.ACLPermissionTypeAllow
		req.Creations = append(req.Creations, c)
	}
	resp, err := req.RequestWith(g.t.Context(), g.client)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, r := range resp.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			g.t.Fatal(err)
		}
	}
	for _, a := range acls {
		g.settle(principal, a, true)
	}
}

func (g *guard) take(principal string, a topics.ACL) {
	g.t.Helper()
	req := kmsg.NewPtrDeleteACLsRequest()
	f := kmsg.NewDeleteACLsRequestFilter()
	host := "*"
	f.ResourceType, f.ResourceName, f.ResourcePatternType = kinds[a.Resource], &a.Name, pattern(a)
	f.Principal, f.Host, f.Operation, f.PermissionType = &principal, &host, operations[a.Operation], kmsg.ACLPermissionTypeAllow
	req.Filters = append(req.Filters, f)
	resp, err := req.RequestWith(g.t.Context(), g.client)
	if err != nil {
		g.t.Fatal(err)
	}
	if n := len(resp.Results[0].MatchingACLs); n != 1 {
		g.t.Fatalf("rules that match %v are %d, want 1", a, n)
	}
	g.settle(principal, a, false)
}

// settle waits until the broker has a right, or has it no more.
func (g *guard) settle(principal string, a topics.ACL, there bool) {
	g.t.Helper()
	req := kmsg.NewPtrDescribeACLsRequest()
	host := "*"
	req.ResourceType, req.ResourceName, req.ResourcePatternType = kinds[a.Resource], &a.Name, pattern(a)
	req.Principal, req.Host, req.Operation, req.PermissionType = &principal, &host, operations[a.Operation], kmsg.ACLPermissionTypeAllow
	eventually(g.t, fmt.Sprintf("the broker has the right %s of %s: %t", name(a), principal, there), 30*time.Second, func() bool {
		resp, err := req.RequestWith(g.t.Context(), g.client)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			g.t.Fatal(err)
		}
		return (len(resp.Resources) == 1) == there
	})
}

// name is a rule in short, for the name of a test.
func name(a topics.ACL) string {
	return fmt.Sprintf("%s %s %s", a.Operation, a.Resource, a.Name)
}

// words collects what a process says.
type words struct {
	mu   sync.Mutex
	text strings.Builder
	also io.Writer
}

// Write keeps p.
func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	return w.also.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// unready returns the checks of /readyz that fail, one a line; "" when ready.
func (p *process) unready() string {
	addr := p.app.Addresses().Admin
	if addr == "" {
		return "not started"
	}
	_, body, err := get(addr, "/readyz")
	var r struct {
		Ready  bool              `json:"ready"`
		Checks []app.CheckResult `json:"checks"`
	}
	if err == nil {
		err = json.Unmarshal(body, &r)
	}
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, c := range r.Checks {
		lines = append(lines, c.Name+": "+c.Detail)
	}
	if r.Ready {
		return ""
	}
	return strings.Join(lines, "\n")
}

// eventually waits for what should become true, and says what it was instead.
func (p *process) eventually(what string, within time.Duration, is func() (bool, string)) {
	p.t.Helper()
	began, last := time.Now(), ""
	for time.Since(began) < within {
		var ok bool
		if ok, last = is(); ok {
			p.t.Logf("%s after %v", what, time.Since(began).Round(10*time.Millisecond))
			return
		}
		select {
		case <-p.ended:
			p.t.Fatalf("process ended with %v, want it to stay: %s", p.result(), what)
		case <-time.After(20 * time.Millisecond):
		}
	}
	p.t.Fatalf("not %s within %v: %s", what, within, last)
}

// getsReady waits until the process is ready.
func (p *process) getsReady(within time.Duration) {
	p.t.Helper()
	p.eventually("ready", within, func() (bool, string) { u := p.unready(); return u == "", u })
}

// losesReady waits until the process is not ready for a reason.
func (p *process) losesReady(why string, within time.Duration) {
	p.t.Helper()
	p.eventually("not ready: "+why, within, func() (bool, string) { u := p.unready(); return u != "" && strings.Contains(u, why), u })
}

// knows waits until an account has a name.
func (p *process) knows(id, name string, within time.Duration) {
	p.t.Helper()
	p.eventually("processed "+id, within, func() (bool, string) {
		_, body, err := get(p.app.Addresses().Data, "/v1/accounts/"+id)
		return err == nil && strings.Contains(string(body), name), string(body)
	})
}

// renamed is an event about a customer.
func renamed(t *testing.T, id, name string) *kgo.Record {
	t.Helper()
	return record(id, event(rand.Text(), "renamed", id, time.Now().UTC().Format(time.RFC3339Nano), fmt.Sprintf(`{"name":%q}`, name)))
}

// ruled starts a broker that keeps to rules, with the topics, and returns the
// configuration of a process that logs in as a user without any.
func ruled(t *testing.T, user, password string) (*guard, app.Config) {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser(auth.SCRAM256, "admin", "admin"), kfake.User(auth.SCRAM256, user, password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	admin, err := auth.New(auth.Config{Mechanism: auth.SCRAM256, User: "admin", Password: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.TopicsApply(t.Context(), app.TopicsConfig{Brokers: broker.ListenAddrs(), Auth: admin, Wait: 5 * time.Second, Partitions: 1, Replication: 1})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(admin.KgoOpts(), kgo.SeedBrokers(broker.ListenAddrs()...), kgo.DefaultProduceTopic(topics.CustomerEvents))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c := config(t.TempDir())
	c.Brokers, c.Partitions, c.Replication = broker.ListenAddrs(), 1, 1
	c.SessionTimeout, c.ReadyGrace, c.Watchdog = time.Second, 2*time.Second, 3*time.Second
	c.Auth = auth.Config{Mechanism: auth.SCRAM256, User: user, PasswordFile: authtest.File(t, t.TempDir(), "password", []byte(password))}
	return &guard{t, client}, c
}

// send writes an event as somebody who may.
func (g *guard) send(r *kgo.Record) {
	g.t.Helper()
	if err := g.client.ProduceSync(g.t.Context(), r).FirstErr(); err != nil {
		g.t.Fatal(err)
	}
}

// A right that is taken away stops the work and not the process, and the work
// goes on when it is given back.
func TestALostRightIsWaitedFor(t *testing.T) {
	t.Parallel()
	g, c := ruled(t, "billing", "open-sesame")
	g.give("User:billing", topics.ACLs(topics.Processor)...)
	said := &words{also: t.Output()}
	p := begin(t, c, said)
	p.getsReady(20 * time.Second)
	for i, a := range topics.ACLs(topics.Processor) {
		why := map[topics.Operation]string{topics.Read: "right to read " + a.Name, topics.Write: "right to commit"}[a.Operation]
		if a.Name != topics.BillingTable || why == "" {
			continue // the others are tried on a real Kafka
		}
		p.losesAndGetsBack(g, a, why, fmt.Sprint("name ", i))
	}
	if strings.Contains(said.String(), "sesame") {
		t.Errorf("log is %s, want no password in it", said)
	}
}

// losesAndGetsBack takes a right from a process at work, and gives it back.
func (p *process) losesAndGetsBack(g *guard, a topics.ACL, why, newName string) {
	p.t.Helper()
	p.t.Log("taking away", name(a))
	g.take("User:billing", a)
	g.send(record("bad", "no event"))
	g.send(renamed(p.t, "c-1", newName))
	p.losesReady(why, 45*time.Second)
	g.give("User:billing", a)
	p.knows("c-1", newName, 30*time.Second)
	p.getsReady(30 * time.Second)
}

// A start that may wait for ever gets in once the password is right.
func TestALateLoginIsWaitedFor(t *testing.T) {
	t.Parallel()
	g, c := ruled(t, "billing", "open-sesame")
	g.give("User:billing", topics.ACLs(topics.Processor)...)
	c.BrokerWait = -1
	file := c.Auth.PasswordFile
	if err := os.WriteFile(file, []byte("shut-sesame"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := &words{also: t.Output()}
	p := begin(t, c, said)
	p.losesReady("broker: no broker has answered yet", 5*time.Second)
	if err := os.WriteFile(file, []byte("open-sesame"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.getsReady(20 * time.Second)
	if strings.Contains(said.String(), "sesame") {
		t.Errorf("log is %s, want no password in it", said)
	}
}
