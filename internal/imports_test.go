package internal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// row says what a package may import. The standard library is free, but for
// net/http and for packages with a list of their own.
type row struct {
	ours   []string // packages of this module: the complete list
	others []string // paths, each with everything below it
	std    []string // the complete list; nil: all but net/http
	http   bool     // net/http too
	why    string
}

const module = "billstream/"

const (
	franz      = "github.com/twmb/franz-go"
	goka       = "github.com/lovoo/goka"
	prometheus = "github.com/prometheus/client_golang"
	protobuf   = "google.golang.org/protobuf"
	sarama     = "github.com/IBM/sarama"
	netutil    = "golang.org/x/net/netutil"
	flock      = "github.com/gofrs/flock"
	vtproto    = "github.com/planetscale/vtprotobuf"
)

// The generated schemas, of what goes out and of what comes in.
const (
	schemas  = "codecs/proto/billing/v1"
	language = "codecs/proto/customer/v1"
)

// pure is the standard library without I/O, clock, locks or randomness.
var pure = []string{
	"cmp", "errors", "fmt", "iter", "maps", "math", "math/big", "slices", "strconv", "strings",
	"time", "unicode", "unicode/utf8",
}

// table is the law: a package comes with its row.
var table = map[string]row{
	// L0: the domain
	"internal/customer": {std: pure, why: "the domain is pure: it does no I/O and has no clock"},
	"internal/billing":  {ours: []string{"internal/customer"}, std: pure, why: "the domain is pure: it does no I/O and has no clock"},

	// L1: names, bytes, pictures
	"internal/topics":         {others: []string{goka}, why: "names, settings and counts are values"},
	"codecs":                  {ours: []string{"internal/customer", "internal/billing", schemas, language}, others: []string{goka, protobuf}, why: "bytes to values and back, and nothing else"},
	schemas:                   {others: []string{protobuf, vtproto}, why: "generated from the schemas"},
	language:                  {others: []string{protobuf, vtproto}, why: "generated from the schemas"},
	"internal/failpoint":      {why: "imported by what it breaks: it knows nothing"},
	"dashboards":              {why: "whoever watches needs none of our code"},
	"dashboards/internal/gen": {why: "whoever watches needs none of our code"},

	// L2: mechanism, which does not know the domain and no other mechanism
	"internal/auth":          {others: []string{franz, "github.com/xdg-go/scram", "golang.org/x/oauth2"}, http: true, why: "who we are to a broker, for any client"},
	"internal/auth/authtest": {why: "certificates and tokens for tests"},
	"internal/kafka":         {ours: []string{"internal/auth", "internal/topics", "internal/failpoint"}, others: []string{sarama, goka, prometheus}, why: "clients, without a word about customers"},
	"internal/eos":           {ours: []string{"internal/failpoint"}, others: []string{goka, sarama, prometheus}, why: "commits keys and bytes; the rest comes in as funcs"},
	"internal/eos/writer":    {ours: []string{"internal/auth", "internal/eos", "internal/failpoint"}, others: []string{franz, prometheus}, why: "the one place of the transactional client"},
	"internal/store":         {ours: []string{"internal/failpoint"}, others: []string{"github.com/cockroachdb/pebble/v2", prometheus}, why: "keeps bytes by key"},
	"internal/devbroker":     {others: []string{franz, flock}, why: "the one place of the Kafka inside the process"},

	// L3: roles, which do not know the mechanism
	"processors": {ours: []string{"internal/customer", "internal/billing", "codecs", "internal/topics"}, others: []string{goka, prometheus}, why: "what lies below comes in as values and funcs"},
	"views":      {ours: []string{"internal/customer", "internal/billing", "codecs", "internal/topics"}, others: []string{goka, prometheus, netutil}, http: true, why: "what lies below comes in as values and funcs"},

	// Tools that judge or measure the product from outside
	"internal/verify": {ours: []string{"internal/auth", "internal/customer", "internal/billing", "internal/topics", schemas, language, "codecs"}, others: []string{franz, protobuf, "github.com/prometheus/common/expfmt", "github.com/prometheus/client_model"}, http: true, why: "imports nothing that it judges"},
	"internal/bench":  {ours: []string{"internal/kafkatest", "internal/bench/kstreams", "internal/customer", "internal/billing", "internal/topics", "internal/kafka", "internal/eos", "internal/eos/writer", "internal/failpoint", "internal/store", "internal/devbroker", "codecs", "views"}, others: []string{goka, sarama, franz, prometheus}, http: true, why: "compares clients and servers, and so knows them all"},

	"internal/bench/kstreams": {why: "builds a Java program and says how to run it"},
	"internal/kafkatest":      {others: []string{franz, flock}, why: "runs Apache Kafka, and knows nothing of what is tried on it"},
	"internal/doctor":         {ours: []string{"internal/topics"}, others: []string{franz, flock, "golang.org/x/sys"}, why: "asks brokers what they are, not the product what it thinks"},
	"internal/chaos":          {ours: []string{"internal/kafkatest", "internal/topics", "internal/verify"}, others: []string{franz, sarama}, why: "breaks the program from outside; its tests are all there is"},

	// L4: where all meet
	"internal/app": {
		ours: []string{
			"internal/customer", "internal/billing", "internal/topics", "codecs", "dashboards", "internal/auth", "internal/kafka",
			"internal/eos", "internal/eos/writer", "internal/failpoint", "internal/store", "internal/devbroker", "processors", "views",
		},
		others: []string{goka, prometheus, "github.com/prometheus/common/version", flock, netutil, "golang.org/x/sync/errgroup"},
		http:   true, why: "joins the parts; the client library stays below",
	},

	// L5: the command line
	"cmd/billstream": {
		ours:   []string{"internal/app", "internal/auth", "internal/doctor", "internal/kafka", "internal/topics", "codecs", "dashboards", "cmd/billstream/corpus", "internal/verify", "internal/bench"},
		others: []string{"github.com/alecthomas/kong", "github.com/jotaen/kong-completion", "go.yaml.in/yaml/v3", "golang.org/x/term"},
		http:   true, why: "flags, files and screens; the work is in internal/app",
	},
	"cmd/billstream/corpus": {why: "a file and where it is from"},
}

// testing of the domain may read real history, and nothing else of ours.
var pureTests = []string{"internal/customer", "internal/billing", "cmd/billstream/corpus"}

// imports checks every import of s against the table.
func imports(s *source) []string {
	r, ok := table[s.pkg]
	switch {
	case !ok && s.test:
		return nil // a folder of tests alone, as this one is
	case !ok:
		return []string{s.problem(s.file.Name, "package %s is not in the table of imports, want a row with a reason", s.pkg)}
	}
	var ps []string
	for _, i := range s.file.Imports {
		if p := strings.Trim(i.Path.Value, `"`); !r.allows(p, s) {
			ps = append(ps, s.problem(i, "%s imports %s: %s", s.pkg, p, r.why))
		}
	}
	return ps
}

func (r row) allows(p string, s *source) bool {
	own, ours := strings.CutPrefix(p, module)
	domain := r.std != nil
	switch {
	case s.test && domain && ours:
		return slices.Contains(pureTests, own)
	case s.test && domain:
		return !below(p, []string{goka, sarama, franz, prometheus}) && p != "net/http"
	case s.test:
		return true
	case ours:
		return slices.Contains(r.ours, own)
	case strings.Contains(strings.Split(p, "/")[0], "."):
		return below(p, r.others)
	case domain:
		return slices.Contains(r.std, p)
	case p == "net/http" || strings.HasPrefix(p, "net/http/"):
		return r.http
	}
	return true
}

func below(p string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return p == root || strings.HasPrefix(p, root+"/") })
}

func TestImportsFollowTheTable(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range tree(t) {
		seen[s.pkg] = true
		for _, p := range imports(s) {
			t.Error(p)
		}
	}
	for pkg := range table {
		if !seen[pkg] {
			t.Errorf("package %s of the table of imports is gone, want its row to go too", pkg)
		}
	}
}

func TestImportsOutsideTheTableAreCaught(t *testing.T) {
	for _, c := range []struct {
		file, imports string
		caught        bool
	}{
		{"internal/billing/a.go", "billstream/internal/customer", false},
		{"internal/billing/a.go", "os", true},
		{"internal/billing/a.go", "math/rand/v2", true},
		{"internal/billing/a.go", "billstream/codecs", true},
		{"internal/billing/a_test.go", "os", false},
		{"internal/billing/a_test.go", "billstream/codecs", true},
		{"internal/billing/a_test.go", goka, true},
		{"internal/customer/a.go", "billstream/internal/billing", true},
		{"internal/kafka/a.go", "billstream/internal/eos", true},
		{"internal/kafka/a.go", "billstream/codecs", true},
		{"internal/store/a.go", goka + "/storage", true},
		{"internal/store/a.go", goka, true},
		{"internal/app/a.go", sarama, true},
		{"internal/app/a_test.go", sarama, false},
		{"internal/app/a.go", franz + "/pkg/kfake", true},
		{"processors/a.go", "net/http", true},
		{"processors/a.go", "os", false},
		{"views/a.go", "net/http/httputil", false},
		{"dashboards/a.go", "billstream/internal/topics", true},
		{"cmd/billstream/a.go", "billstream/processors", true},
		{"internal/helpers/a.go", "os", true}, // not in the table
	} {
		s := parse(t, c.file, fmt.Sprintf("package a\n\nimport _ %q\n", c.imports))
		if got := imports(s); (len(got) > 0) != c.caught {
			t.Errorf("problems of %s importing %s are %q, want one: %t", c.file, c.imports, got, c.caught)
		}
	}
}
