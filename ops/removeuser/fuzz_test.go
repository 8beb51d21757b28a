package removeuser_test

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
)

// plain are the characters that the address of a user of ours is made of.
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-"

// FuzzAddress looks for an address that is let through and can be taken for
// another one, be more than one, or mean something to whatever it is handed on
// to: a session policy, a pattern, a branch, a message in Slack.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{
		leaver, namesake, "a+b-c=d_e,f@softwire.com", "-@softwire.com", strings.Repeat("a", 51) + "@softwire.com", strings.Repeat("a", 52) + "@softwire.com",
		"", "@", "jo@doe@softwire.com", "jo.doe@SOFTWIRE.com", "jo.doe@softwire.com.", "jo.doe@mail.softwire.com", "jо.doe@softwire.com", "jo.do\u212a@softwire.com", "ſam@softwire.com",
		"jo.doe＠softwire.com", "jo.\u200bdoe@softwire.com", "\u202ejo@softwire.com", "jo doe@softwire.com", "jo.doe@softwire.com\n", "\x00@softwire.com", "\xff@softwire.com",
		"jo.*@softwire.com", "jo.[a-z]@softwire.com", "${aws:username}@softwire.com", `jo\u002e@softwire.com`, "<mailto:jo.doe@softwire.com|jo.doe@softwire.com>", "<!channel>@softwire.com", "`jo`@softwire.com", "a/../b@softwire.com",
	} {
		f.Add(seed, "softwire.com")
	}
	f.Add("jo@.", ".")
	f.Add("jo@-.-", "-.-")
	f.Add("jo@softwire.com\n", "softwire.com\n")
	f.Add("jo@sоftwire.com", "sоftwire.com")
	f.Fuzz(func(t *testing.T, address, domain string) {
		s := settings(iamMode)
		s.Domains = []string{"digital.cabinet-office.gov.uk", domain}
		if len(s.Check()) > 0 {
			t.Skip("the domain is none")
		}
		operation := s.Operation(nil, nil, "")
		for _, address := range []string{address, address + "@" + domain} {
			addressed(t, operation, s.Domains, address)
		}
	})
}

// addressed complains of an address that is let through and isn't plain, or is
// refused in words that nobody could use.
func addressed(t *testing.T, operation ops.Operation, domains []string, address string) {
	t.Helper()
	check := operation.Form[slices.IndexFunc(operation.Form, func(f ops.Field) bool { return f.Name == "emails" })].Check
	err := check(address)
	if again := check(address); (err == nil) != (again == nil) {
		t.Errorf("once it is %v, and then %v", err, again)
	}
	if err != nil {
		words := ops.Words(err, "")
		if ops.KindOf(err) != ops.Invalid || words == "" || len(words) > 400+len(domains[1]) || utf8.ValidString(address) && !utf8.ValidString(words) {
			t.Errorf("the words are %q", words)
		}
		return
	}
	if len(address) > 64 || strings.Trim(address, plain) != "" {
		t.Errorf("%q was let through", address)
	}
	if local, at, _ := strings.Cut(address, "@"); local == "" || !slices.ContainsFunc(domains, func(d string) bool { return strings.EqualFold(d, at) }) {
		t.Errorf("%q is of none of the domains %q", address, domains)
	}
	if quoted, err := json.Marshal(address); err != nil || string(quoted) != `"`+address+`"` {
		t.Errorf("in a session policy it is %s", quoted)
	}
	if strings.ContainsAny(address, "*?[]\\$/<>&|`~ ") {
		t.Errorf("%q is a pattern or markup", address)
	}
	if matched, err := path.Match(address, address); !matched || err != nil {
		t.Errorf("%q doesn't match itself: %v", address, err)
	}
	// Whatever looks like it is somebody else, and isn't let through.
	for _, like := range []string{
		" " + address, address + "\n", address + ".", address + "\u200b", "\ufeff" + address, "mailto:" + address, "<" + address + ">",
		strings.Replace(address, "@", "＠", 1), strings.Replace(address, "@", "@@", 1),
		strings.NewReplacer("a", "а", "e", "е", "o", "о", "k", "\u212a", "s", "ſ").Replace(address) + "\u2060",
	} {
		if like != address && check(like) == nil {
			t.Errorf("%q is let through beside %q", like, address)
		}
	}
	inputs, wrong := operation.Fill(ops.Inputs{"emails": {address}, "reason": {"has left"}, "confirmed": {"yes"}})
	if diff := cmp.Diff([]string{address}, inputs["emails"]); diff != "" || len(wrong) > 0 {
		t.Errorf("the form makes it (-want +got):\n%s%v", diff, wrong)
	}
}
