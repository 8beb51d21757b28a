package removeuser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

const day = 24 * time.Hour

// assumed is the leaver assuming a role of the account, so long ago.
func (w *world) assumed(region, account2, role string, ago time.Duration) {
	w.aws.Trail(region).Add(awstest.TrailEvent{
		Account: account, Username: leaver, RoleARN: "arn:aws:iam::" + account2 + ":role/" + role, Time: w.clock.Now().Add(-ago),
	})
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	w.settings.Regions = []string{"eu-west-2", "us-east-1"}
	w.aws.Organization().AddAccount("333333333333", "payments-prod", "aws-root+payments-prod@example.org")
	w.assumed("eu-west-2", "333333333333", "Admin", 10*day)
	w.assumed("us-east-1", "333333333333", "Admin", 3*day+time.Hour)
	w.assumed("eu-west-2", "444444444444", "teams/Old", 80*day)
	w.assumed("eu-west-2", "333333333333", "Forgotten", 91*day)
	w.aws.Trail("eu-west-2").Add(
		awstest.TrailEvent{Account: account, Username: leaver, RoleARN: "arn:aws:iam::333333333333:role/Denied", ErrorCode: "AccessDenied", Time: w.clock.Now().Add(-day)},
		awstest.TrailEvent{Account: account, Username: leaver, EventName: "ListBuckets", EventSource: "s3.amazonaws.com", Time: w.clock.Now().Add(-day)},
		awstest.TrailEvent{Account: account, Username: namesake, RoleARN: "arn:aws:iam::333333333333:role/Namesake", Time: w.clock.Now().Add(-day)},
		awstest.TrailEvent{Account: "333333333333", Username: leaver, RoleARN: "arn:aws:iam::333333333333:role/Elsewhere", Time: w.clock.Now().Add(-day)},
	)
	u := w.user(leaver)
	plan := w.look(w.walk())
	date := func(ago time.Duration) string { return w.clock.Now().Add(-ago).UTC().Format("2 Jan 2006") }
	created := u.Created.Format("2 Jan 2006")
	var keys []string
	for _, k := range u.AccessKeys {
		line := k.ID + ", active, made " + created + ", last used " + k.LastUsed.Format("2 Jan 2006") + " for s3 in eu-west-2"
		if k.Inactive {
			line = k.ID + ", inactive, made " + created + ", last used never"
		}
		keys = append(keys, line)
	}
	var credentials, devices []string
	for _, c := range u.Credentials {
		credentials = append(credentials, c.ID+" for "+c.Service)
	}
	for _, d := range u.MFA {
		devices = append(devices, d.Serial)
	}
	want := []ops.Fact{
		{Label: "IAM user", Value: "arn:aws:iam::" + account + ":user/people/" + leaver + ", created " + created},
		{Label: "Password", Value: "last used " + u.PasswordLastUsed.Format("2 Jan 2006")},
		{Label: "Access keys", Value: strings.Join(keys, "; ")},
		{Label: "MFA devices", Value: strings.Join(devices, "; ")},
		{Label: "Groups", Value: "CrossAccountAccess; payments"},
		{Label: "Inline policies", Value: "own"},
		{Label: "Attached policies", Value: strings.Join(u.Attached, "; ")},
		{Label: "Permissions boundary", Value: u.Boundary},
		{Label: "SSH public keys", Value: u.SSHKeys[0].ID},
		{Label: "Signing certificates", Value: u.Certificates[0].ID},
		{Label: "Service-specific credentials", Value: strings.Join(credentials, "; ")},
		{Label: "Tags", Value: "Owner=ann.other@softwire.com; team=payments"},
		{Label: "Roles assumed in 90 days", Value: "Admin in account payments-prod (333333333333), 2 times, last " + date(3*day+time.Hour) +
			"; teams/Old in account 444444444444, once, last " + date(80*day)},
		{Label: "Not checked", Value: "The names of some accounts: Organizations doesn't tell them to the role " + lookRole + "." +
			"; Which roles in other accounts trust this user: no AWS API lists them. CloudTrail shows what was used, not what may be used."},
	}
	if diff := cmp.Diff(want, plan.Facts); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"They last used role Admin in account payments-prod (333333333333) 3 days ago. Does that team know?"}, plan.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if secret := "SecretAccessKey"; strings.Contains(string(plan.Data), secret) {
		t.Errorf("the plan's data hold a secret: %s", plan.Data)
	}
	w.done()
}

func TestEvidenceOfABareUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	w.iam.DeleteUser(leaver)
	w.iam.AddUser(awstest.IAMUser{Name: leaver})
	plan := w.look(w.walk())
	for _, label := range []string{
		"Password", "Access keys", "MFA devices", "Groups", "Inline policies", "Attached policies", "SSH public keys", "Signing certificates",
		"Service-specific credentials", "Tags", "Roles assumed in 90 days",
	} {
		if got := fact(plan, label); got != "none" {
			t.Errorf("%s: %q", label, got)
		}
	}
	if len(plan.Warnings) > 0 {
		t.Errorf("warnings %q", plan.Warnings)
	}
	if report := w.run(w.walk()); !report.OK() {
		t.Errorf("report %+v", report)
	}
	w.done()
}

func TestPasswordNeverUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) { u.PasswordLastUsed = time.Time{} })
	if got := fact(w.look(w.walk()), "Password"); got != "last used never" {
		t.Errorf("password: %q", got)
	}
}

// What couldn't be found out is said; the plan comes all the same.
func TestNotChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault func(*world)
		parts []string
	}{
		{"CloudTrail refuses in one region", func(w *world) {
			w.aws.Fail("cloudtrail:LookupEvents", awstest.Fault{Code: "AccessDeniedException", When: in("us-east-1")})
		}, []string{"Which roles were assumed, by CloudTrail in us-east-1: AWS refused cloudtrail:LookupEvents to the role " + lookRole + "."}},
		{"CloudTrail is throttling in one region", func(w *world) {
			w.aws.Fail("cloudtrail:LookupEvents", awstest.Fault{Code: "ThrottlingException", When: in("us-east-1")})
		}, []string{"Which roles were assumed, by CloudTrail in us-east-1: AWS is throttling cloudtrail:LookupEvents"}},
		{"CloudTrail is in trouble in both regions", func(w *world) {
			w.aws.Fail("cloudtrail:LookupEvents", awstest.Fault{Code: "InvalidTimeRangeException"})
		}, []string{"by CloudTrail in eu-west-2: AWS answered cloudtrail:LookupEvents with InvalidTimeRangeException", "by CloudTrail in us-east-1: "}},
		{"Organizations tells nothing", func(w *world) {
			w.aws.Fail("organizations:DescribeAccount", awstest.Fault{Code: "AccessDeniedException"})
		}, []string{"The names of some accounts: Organizations doesn't tell them to the role " + lookRole}},
		{"Organizations isn't used", func(w *world) {
			w.aws.Fail("organizations:DescribeAccount", awstest.Fault{Code: "AWSOrganizationsNotInUseException"})
		}, []string{"The names of some accounts"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			w.settings.Regions = []string{"eu-west-2", "us-east-1"}
			w.aws.Organization().AddAccount("333333333333", "payments-prod", "aws-root+payments-prod@example.org")
			w.assumed("eu-west-2", "333333333333", "Admin", 3*day)
			test.fault(w)
			plan := w.look(w.walk())
			got := fact(plan, "Not checked")
			for _, part := range append(test.parts, "Which roles in other accounts trust this user") {
				if !strings.Contains(got, part) {
					t.Errorf("not checked: %q, want %q in it", got, part)
				}
			}
			if trail := !strings.Contains(test.name, "both"); trail && !strings.Contains(fact(plan, "Roles assumed in 90 days"), "333333333333") {
				t.Errorf("roles %q", fact(plan, "Roles assumed in 90 days"))
			} else if !trail && fact(plan, "Roles assumed in 90 days") == "none" {
				t.Error("says that no role was assumed, which wasn't checked")
			}
			if len(plan.Steps) == 0 {
				t.Error("no steps")
			}
			w.done()
		})
	}
}

func in(region string) func(awstest.Call) bool {
	return func(c awstest.Call) bool { return c.Region == region }
}

// CloudTrail allows two calls a second in a Region, whoever makes them.
func TestCloudTrailIsAskedSlowly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	w.settings.Regions = []string{"eu-west-2", "us-east-1"}
	for n := range 130 {
		w.assumed("eu-west-2", fmt.Sprint(300000000000+n/50), "Admin", time.Duration(n+1)*time.Hour)
	}
	began := w.clock.Now()
	plan := w.look(w.walk())
	times := map[string][]time.Time{}
	for _, c := range w.aws.Calls() {
		if c.Name() == "cloudtrail:LookupEvents" {
			times[c.Region] = append(times[c.Region], c.At)
			if c.ErrorCode != "" {
				t.Errorf("%s in %s", c.ErrorCode, c.Region)
			}
		}
	}
	if len(times["eu-west-2"]) != 3 || len(times["us-east-1"]) != 1 {
		t.Errorf("calls %v", times)
	}
	// Counted from the beginning: on a busy machine a call may arrive late, and the next in time.
	for region, at := range times {
		for i := range at {
			if after := at[i].Sub(began); after < time.Duration(i)*500*time.Millisecond {
				t.Errorf("%s: call %d came %v after the beginning", region, i+1, after)
			}
		}
	}
	if roles := fact(plan, "Roles assumed in 90 days"); !strings.Contains(roles, "Admin in account 300000000000, 50 times") || !strings.Contains(roles, "30 times") {
		t.Errorf("roles %q", roles)
	}
	w.done()
}

// Right before the run the evidence has been weighed already.
func TestSecondLookAsksCloudTrailNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mode)
			w.assumed("eu-west-2", "333333333333", "Admin", 3*time.Hour)
			walk := w.walk()
			first := w.look(walk)
			asked := w.aws.Count("cloudtrail:*") + w.aws.Count("organizations:*")
			w.assumed("eu-west-2", "333333333333", "Newer", time.Hour)
			second := w.look(walk)
			if more := w.aws.Count("cloudtrail:*") + w.aws.Count("organizations:*") - asked; more > 0 {
				t.Errorf("%d calls more", more)
			}
			if diff := cmp.Diff(first, second); diff != "" {
				t.Errorf("the second plan (-first +second):\n%s", diff)
			}
			w.quarantined(walk)
			if told := text(walk.Lines()); !strings.Contains(told, "for the 12 hours before: Admin in account 333333333333.") {
				t.Errorf("the roles are forgotten:\n%s", told)
			}
			w.done()
		})
	}
}

func TestProgressIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	walk := w.walk()
	w.look(walk)
	if !slices.Contains(walk.Progress(), "CloudTrail: 1 pages read") && !slices.Contains(walk.Progress(), "CloudTrail: 1 page read") {
		t.Errorf("progress %q", walk.Progress())
	}
}
