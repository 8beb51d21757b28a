package removeuser

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// evidence is what an approver should know.
func (o *operation) evidence(u *User, roles []Role, unknown []string) ([]ops.Fact, []string) {
	var facts []ops.Fact
	add := func(label string, values ...string) {
		if len(values) == 0 {
			values = []string{"none"}
		}
		facts = append(facts, ops.Fact{Label: label, Value: strings.Join(values, "; ")})
	}
	password := "none"
	if u.Login {
		password = "last used " + day(u.PasswordUsed)
	}
	add("IAM user", u.ARN+", created "+day(u.Created))
	add("Password", password)
	var keys, credentials, tags []string
	for _, k := range u.Keys {
		text := k.ID + ", inactive"
		if k.Active {
			text = k.ID + ", active"
		}
		text += ", made " + day(k.Created) + ", last used " + day(k.Used)
		if k.Service != "" && k.Service != "N/A" {
			text += " for " + k.Service + " in " + k.Region
		}
		keys = append(keys, text)
	}
	for _, c := range u.Credentials {
		credentials = append(credentials, c.ID+" for "+c.Service)
	}
	for _, key := range slices.Sorted(maps.Keys(u.Tags)) {
		tags = append(tags, key+"="+u.Tags[key])
	}
	add("Access keys", keys...)
	add("MFA devices", u.MFA...)
	add("Groups", u.Groups...)
	add("Inline policies", u.Inline...)
	add("Attached policies", u.Attached...)
	if u.Boundary != "" {
		add("Permissions boundary", u.Boundary)
	}
	add("SSH public keys", u.SSHKeys...)
	add("Signing certificates", u.Certificates...)
	add("Service-specific credentials", credentials...)
	add("Tags", tags...)
	var warnings, assumed []string
	for i, role := range roles {
		text := fmt.Sprintf("%s, %s, last %s", role.name(), times(role.Times), day(role.Last))
		assumed = append(assumed, text)
		if i == 0 {
			warnings = append(warnings, "They last used role "+role.name()+" "+ago(time.Since(role.Last))+". Does that team know?")
		}
	}
	if len(roles) == 0 && len(unknown) > 0 {
		assumed = []string{"not known"}
	}
	add(fmt.Sprintf("Roles assumed in %d days", trailDays), assumed...)
	unknown = append(unknown, "Which roles in other accounts trust this user: no AWS API lists them. CloudTrail shows what was used, not what may be used.")
	add("Not checked", unknown...)
	return facts, warnings
}
