package customer

import (
	"fmt"
	"strings"
)

const (
	typeVersion = ".v1"
)

// types holds the CloudEvents type of each Type; String is a part of it, so
// that neither form allocates.
var types = [...]string{
	TypeRegistered:           "customer.registered.v1",
	TypeRenamed:              "customer.renamed.v1",
	TypeAddressChanged:       "customer.address_changed.v1",
	TypeContactChanged:       "customer.contact_changed.v1",
	TypeTaxChanged:           "customer.tax_changed.v1",
	TypePaymentMethodChanged: "customer.payment_method_changed.v1",
	TypePlanChanged:          "customer.plan_changed.v1",
	TypeClosed:               "customer.closed.v1",
	TypeErased:               "customer.erased.v1",
}

// Types returns the nine types in their order.
func Types() []Type {
	all := make([]Type, 0, len(types)-1)
	for t := TypeRegistered; int(t) < len(types); t++ {
		all = append(all, t)
	}
	return all
}

// CloudEvent returns the CloudEvents type, such as
// "customer.address_changed.v1"; "" for the zero Type.
func (t Type) CloudEvent() string {
	if int(t) >= len(types) {
		return ""
	}
	return types[t]
}

// String returns the type without its version: "customer.address_changed".
func (t Type) String() string { return strings.TrimSuffix(t.CloudEvent(), typeVersion) }

// ParseType returns the type whose CloudEvents type is s. The error is a
// *Refusal: unknown_version for one of the nine with another version suffix,
// unknown_type for anything else. Whether an unknown type is refused or
// ignored is the caller's choice.
func ParseType(s string) (Type, error) {
	for t := TypeRegistered; int(t) < len(types); t++ {
		if types[t] == s {
			return t, nil
		}
	}
	if t := typeOfOtherVersion(s); t != 0 {
		return 0, &Refusal{
			Code:   UnknownVersion,
			Detail: fmt.Sprintf("type is %s in another version, want %s", t, t.CloudEvent()),
		}
	}
	return 0, &Refusal{Code: UnknownType, Detail: "type is not one of ours, want customer.<event>.v1"}
}

// typeOfOtherVersion returns the type of "customer.renamed.v2", 0 if s is no
// known name with a version.
func typeOfOtherVersion(s string) Type {
	cut := strings.LastIndex(s, ".v")
	if cut < 0 || !isDigits(s[cut+2:]) {
		return 0
	}
	for t := TypeRegistered; int(t) < len(types); t++ {
		if t.String() == s[:cut] {
			return t
		}
	}
	return 0
}
