package customer

import (
	"slices"
	"strconv"
	"strings"
)

const (
	maxRecipients = 16
	maxEmail      = 254 // RFC 5321 4.5.3.1.3, without the angle brackets
)

// Normal returns the normal form of a contact as it was sent, nil when no
// field is left; pointer is where it stands in the event's data. The error is
// a *Refusal: a text is too long, or there are too many recipients.
func (c Contact) Normal(pointer string) (*Contact, []Warning, error) {
	r := reader{facet: facetContact, pointer: pointer}
	n := Contact{
		Email:             normalEmail(r.text("email", c.Email, maxEmail)),
		Phone:             normalPhone(r.text("phone", c.Phone, 64)),
		Locale:            r.text("locale", c.Locale, 35),
		TimeZone:          r.text("time_zone", c.TimeZone, 64),
		InvoiceRecipients: r.recipients(c.InvoiceRecipients),
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	if n.isEmpty() {
		return nil, r.warnings, nil
	}
	return &n, n.AppendWarnings(r.warnings), nil
}

func (c *Contact) isEmpty() bool {
	return c.Email == "" && c.Phone == "" && c.Locale == "" && c.TimeZone == "" && len(c.InvoiceRecipients) == 0
}

// AppendWarnings appends what is doubtful about a contact in normal form.
func (c *Contact) AppendWarnings(dst []Warning) []Warning {
	warn := func(doubtful bool, code, field string) {
		if doubtful {
			dst = append(dst, Warning{Code: code, Facet: facetContact, Field: field})
		}
	}
	warn(c.Email != "" && !isEmail(c.Email), "email_format", "email")
	warn(c.Phone != "" && !isE164(c.Phone), "phone_format", "phone")
	warn(c.Locale != "" && !isLocale(c.Locale), "locale_format", "locale")
	warn(c.TimeZone != "" && !isTimeZone(c.TimeZone), "time_zone_format", "time_zone")
	warn(slices.ContainsFunc(c.InvoiceRecipients, isNoEmail), "email_format", "invoice_recipients")
	return dst
}

// recipients returns the set of e-mail addresses in all: sorted, without
// repeats and without empty ones.
func (r *reader) recipients(all []string) []string {
	if len(all) == 0 {
		return nil
	}
	set := make([]string, 0, len(all))
	for i, s := range all {
		text, cleaned, ok := NormalText(s, maxEmail)
		if cleaned {
			r.cleaned("invoice_recipients")
		}
		if !ok {
			r.refuse("/invoice_recipients/"+strconv.Itoa(i), StringOf(text), "at most 254 characters")
		}
		if text != "" {
			set = append(set, normalEmail(text))
		}
	}
	slices.Sort(set)
	set = slices.Compact(set)
	if len(set) > maxRecipients {
		r.refuse("/invoice_recipients", "a list of "+strconv.Itoa(len(set))+" different addresses", "at most 16")
	}
	if len(set) == 0 {
		return nil
	}
	return slices.Clip(set)
}

// normalEmail lowers the domain. The part before the last @ belongs to its
// mail server, which may tell cases apart.
func normalEmail(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	if domain := strings.ToLower(s[at:]); domain != s[at:] {
		return s[:at] + domain
	}
	return s
}

func isNoEmail(s string) bool { return !isEmail(s) }

// isEmail reports whether s is x@y.z without a space. More than this can only
// be learnt by writing there.
func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || strings.ContainsAny(s, " ") || strings.Contains(domain, "@") {
		return false
	}
	dot := strings.LastIndexByte(domain, '.')
	return dot > 0 && dot < len(domain)-1
}

// normalPhone removes what people put between the digits, if a number of E.164
// comes out; any other text stays as it is.
func normalPhone(s string) string {
	if isE164(s) || s == "" {
		return s
	}
	bare := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-()/", r) {
			return -1
		}
		return r
	}, s)
	if isE164(bare) {
		return bare
	}
	return s
}

// isE164 reports whether s is "+" and 2 to 15 digits, the first not 0.
func isE164(s string) bool {
	return len(s) >= 3 && len(s) <= 16 && s[0] == '+' && s[1] != '0' && isDigits(s[1:])
}

// isLocale reports whether s has the shape of a language tag (BCP 47): a
// language of 2 to 8 letters, then subtags of 1 to 8 letters or digits.
func isLocale(s string) bool {
	language, rest, more := strings.Cut(s, "-")
	if len(language) < 2 || len(language) > 8 || !isLetters(language, len(language)) {
		return false
	}
	for more {
		var subtag string
		subtag, rest, more = strings.Cut(rest, "-")
		if !isAlphanumeric(subtag, 8) {
			return false
		}
	}
	return true
}

// isTimeZone reports whether s has the shape of a name in IANA's time zone
// database: UTC, Europe/Berlin, America/Argentina/Buenos_Aires, Etc/GMT+5.
func isTimeZone(s string) bool {
	parts := 0
	for part := range strings.SplitSeq(s, "/") {
		parts++
		if part == "" || !isLetters(part[:1], 1) || strings.ContainsFunc(part, notInZoneName) {
			return false
		}
	}
	return parts <= 3
}

func notInZoneName(r rune) bool {
	return r > 'z' || !isAlphanumeric(string(r), 1) && !strings.ContainsRune("_+-", r)
}
