package topics_test

import (
	"strings"
	"testing"

	"billstream/internal/topics"
)

// lines writes rules as kafka-acls takes them, for one principal.
func lines(acls []topics.ACL) string {
	var b strings.Builder
	for _, a := range acls {
		b.WriteString(strings.Join(a.Command("User:x")[3:], " ") + "\n")
	}
	return b.String()
}

func TestEveryRoleHasTheRightsThatItNeeds(t *testing.T) {
	for role, want := range map[topics.Role]string{
		topics.Processor: `--operation Read --topic customer.events
--operation Write --topic billing.updates
--operation Write --topic billing.dlq
--operation Read --topic billing-table
--operation Write --topic billing-table
--operation Read --group billing
--operation Write --transactional-id billing- --resource-pattern-type prefixed
--operation DescribeConfigs --topic customer.events
--operation DescribeConfigs --topic billing-table
--operation DescribeConfigs --topic billing.updates
--operation DescribeConfigs --topic billing.dlq
`,
		topics.Viewer: "--operation Read --topic billing-table\n",
		topics.Operator: `--operation Write --topic customer.events
--operation Read --topic billing.dlq
`,
		topics.Verifier: `--operation Read --topic customer.events
--operation Read --topic billing-table
--operation Read --topic billing.updates
--operation Read --topic billing.dlq
--operation Describe --group billing
`,
	} {
		if got := lines(topics.ACLs(role)); got != want {
			t.Errorf("rights of %s are\n%swant\n%s", role, got, want)
		}
	}
}

func TestEveryRightIsInOneListAndSaysWhatItIsFor(t *testing.T) {
	var each string
	for _, r := range topics.Roles() {
		each += lines(topics.ACLs(r))
	}
	if all := lines(topics.ACLs()); all != each {
		t.Errorf("all rights are\n%swant those of the roles in turn\n%s", all, each)
	}
	for _, a := range topics.ACLs() {
		if a.Without == "" {
			t.Errorf("%v does not say what goes wrong without it", a)
		}
	}
}

func TestRightsOfDifferentRolesAreDifferentUsers(t *testing.T) {
	for _, tt := range []struct {
		given string
		role  topics.Role
		want  string
	}{
		{"", topics.Processor, "User:billing"},
		{"User:CN=x", topics.Processor, "User:CN=x"},
		{"User:x", topics.Viewer, "User:x-view"},
	} {
		if got := topics.Principal(tt.given, tt.role); got != tt.want {
			t.Errorf("principal of %s is %s, want %s", tt.role, got, tt.want)
		}
	}
}

func TestHiddenSettingsAreAWarningAndNoRefusal(t *testing.T) {
	found := asWanted(topics.Options{})
	hidden := found[topics.BillingTable]
	hidden.Config = nil
	found[topics.BillingTable] = hidden
	refused, warnings := topics.Check(topics.Options{}, found)
	want := "topic billing-table: settings are hidden, want the right DESCRIBE_CONFIGS: they were not checked"
	if len(refused) != 0 || len(warnings) != 1 || warnings[0] != want {
		t.Errorf("refused %v and warned %q, want only %q", refused, warnings, want)
	}
}
