package service

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

var (
	slackUser = regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)
	domain    = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	clientID  = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	bucket    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

// whoFaults finds what is wrong with the settings of who may, and of the audit.
func (config *Config) whoFaults(at func(...string) int, add func(line int, format string, args ...any)) {
	seen := map[string]bool{}
	for i, identity := range config.Identities {
		line := at("identities", strconv.Itoa(i))
		switch {
		case !slackUser.MatchString(identity.Slack):
			add(line, "identities: %q is not a Slack user ID, such as U0123ABCD", identity.Slack)
		case identity.GitHub == "":
			add(line, "identities: %s has no GitHub login", identity.Slack)
		case !githubaccess.IsLogin(identity.GitHub):
			add(line, "identities: %q is not a GitHub login", identity.GitHub)
		case seen[identity.Slack]:
			add(line, "identities: %s stands here twice", identity.Slack)
		case seen[strings.ToLower(identity.GitHub)]:
			add(line, "identities: two Slack users claim the GitHub login %s", identity.GitHub)
		}
		seen[identity.Slack], seen[strings.ToLower(identity.GitHub)] = true, true
	}
	if id := config.GitHub.ClientID; id != "" && !clientID.MatchString(id) {
		add(at("github", "client_id"), "github.client_id: %q is not a client ID, such as Iv23liAbCdEfGhIjKlMn", id)
	}
	for i, d := range config.GitHub.SAML.Domains {
		if !domain.MatchString(d) {
			add(at("github", "saml", "domains", strconv.Itoa(i)), "github.saml.domains: %q is not a domain in lower case, such as justice.gov.uk", d)
		}
	}
	for i, l := range config.BreakGlass {
		line := at("break_glass", strconv.Itoa(i))
		switch {
		case !githubaccess.IsLogin(l):
			add(line, "break_glass: %q is not a GitHub login", l)
		case slices.ContainsFunc(config.BreakGlass[:i], func(other string) bool { return strings.EqualFold(l, other) }):
			add(line, "break_glass: %s stands here twice", l)
		}
	}
	if d := config.FreshProof; d != nil {
		if *d < time.Minute {
			add(at("fresh_proof"), "fresh_proof: %v is too short to type a code at GitHub in and press a button: at least 1m", *d)
		}
		if config.GitHub.ClientID == "" {
			add(at("fresh_proof"), "fresh_proof needs github.client_id: people prove who they are by the GitHub App's device flow")
		}
	}
	a := config.Audit
	if a.Bucket == "" {
		if a.Prefix != "" || a.Region != "" || a.Role != "" || a.Retain != 0 {
			add(at("audit"), "audit.bucket is missing")
		}
		return
	}
	for _, f := range []struct {
		key, problem string
		wrong        bool
	}{
		{"bucket", fmt.Sprintf(": %q is not a bucket's name", a.Bucket), !bucket.MatchString(a.Bucket)},
		{"prefix", fmt.Sprintf(": %q is not the beginning of a key, such as rootbot/", a.Prefix), strings.ContainsAny(a.Prefix, "*?${}\"") || strings.HasPrefix(a.Prefix, "/")},
		{"region", " is missing", a.Region == ""},
		{"role", ": " + awsaccess.RoleFault(a.Role), awsaccess.RoleFault(a.Role) != ""},
		{"retain", fmt.Sprintf(": %v is not a time to keep an anchor, such as 8760h", a.Retain), a.Retain <= 0},
	} {
		if f.wrong {
			add(at("audit", f.key), "audit.%s%s", f.key, f.problem)
		}
	}
}
