package deleteaccount_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/deleteaccount"
)

const (
	s3Service  = "Amazon Simple Storage Service"
	ec2Service = "Amazon Elastic Compute Cloud - Compute"
)

// months are the first days of the last month and of this one.
func months() (last, current time.Time) {
	now := time.Now().UTC()
	current = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return current.AddDate(0, -1, 0), current
}

func (w *world) cost(month time.Time, service string, dollars float64) {
	w.aws.CostExplorer().SetCost(sinking, month.Format("2006-01"), service, dollars)
}

func TestPlanShowsWhatAnApproverMustKnow(t *testing.T) {
	t.Parallel()
	for _, page := range []int{0, 1} {
		t.Run(fmt.Sprintf("with %d on a page", page), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.aws.SetPageSize(page)
			w.o.SetEmptyPages(2 * page)
			scp := w.o.AddPolicy("regions", `{}`)
			w.o.AttachPolicy(scp, w.workloads)
			w.o.AttachPolicy(w.o.AddPolicy("no-pond", `{}`), sinking)
			last, current := months()
			w.cost(last, s3Service, 3.2)
			w.cost(last, ec2Service, 40)
			w.cost(current, s3Service, 1.5)
			w.aws.CostExplorer().SetCost(neighbour, last.Format("2006-01"), ec2Service, 5000)
			walk := w.walk()
			walk.Request.Called = map[string][]time.Time{"CloseAccount": make([]time.Time, 7), "MoveAccount": make([]time.Time, 90)}
			plan := w.look(walk)

			facts := map[string]string{}
			for _, f := range plan.Facts {
				facts[f.Label] = f.Value
			}
			scps := strings.Split(facts["Service control policies"], "; ")
			delete(facts, "Service control policies")
			if got, want := facts["Service control policies in Disabled accounts"], "FullAWSAccess (p-FullAWSAccess) at Root; FullAWSAccess (p-FullAWSAccess) at Disabled accounts; deny-all ("; !strings.HasPrefix(got, want) {
				t.Errorf("policies of the unit for disabled accounts %q, want %q", got, want)
			}
			delete(facts, "Service control policies in Disabled accounts")
			want := map[string]string{
				"Account":                                sinkingName + ", " + sinking + ", " + sinkingEmail,
				"Where":                                  "Root / Workloads / Ponds (" + w.ponds + ")",
				"State":                                  "ACTIVE",
				"Joined":                                 "29 Feb 2024",
				"Tags":                                   "is-production=false; owner=Ponds",
				"Delegated administrator of":             "none",
				"Cost of " + last.Format("January 2006"): "$43.20: " + ec2Service + " $40.00, " + s3Service + " $3.20",
				"Cost of " + current.Format("January 2006") + " so far": "$1.50: " + s3Service + " $1.50",
				"Last activity":         "cost on " + time.Now().UTC().Format("2 Jan 2006"),
				"Closed in 30 days":     "7 of 250 that AWS allows an organisation of 5 accounts; accounts closed without this bot are not counted",
				"The owner's agreement": "OPS-42",
				"Not checked":           facts["Not checked"],
				"Terraform":             "nothing found by name, ID or address in 1 file of " + repo + " (main)",
			}
			if diff := cmp.Diff(want, facts); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			for _, part := range []string{"what runs in it", "domains", "Marketplace", "backups: octocat says that they are dealt with"} {
				if !strings.Contains(facts["Not checked"], part) {
					t.Errorf("not checked is %q, want %q in it", facts["Not checked"], part)
				}
			}
			const full = "FullAWSAccess (p-FullAWSAccess) at "
			wantPolicies := []string{full + "Root", full + "Workloads", "regions (" + scp + ") at Workloads", full + "Ponds", full + "the account"}
			if diff := cmp.Diff(wantPolicies, scps[:min(5, len(scps))]); diff != "" || len(scps) != 6 || !strings.HasPrefix(scps[5], "no-pond (p-") || !strings.HasSuffix(scps[5], ") at the account") {
				t.Errorf("policies %q (-want +got):\n%s", scps, diff)
			}
			if len(walk.Progress()) == 0 {
				t.Error("no progress is told")
			}
			if plan.Target != sinkingName {
				t.Errorf("target %q", plan.Target)
			}
			w.untouched()
		})
	}
}

func TestPlanWarns(t *testing.T) {
	t.Parallel()
	last, current := months()
	tag := func(key, value string) func(*world) {
		return func(w *world) {
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags = map[string]string{key: value} })
		}
	}
	for _, test := range []struct {
		name    string
		arrange func(*world)
		want    string // a part of a warning
		never   string // what must not be warned of
	}{
		{"of the address, always", func(*world) {}, "Its e-mail address " + sinkingEmail + " can't be used for another account afterwards.", "production"},
		{"of production", tag("is-production", "true"), "Its tag says that it is production: is-production=true.", ""},
		{"of production in other words", tag("is-production", "Yes"), "production: is-production=Yes.", ""},
		{"not of what isn't production", tag("is-production", "False"), "", "production"},
		{"of an earlier request", tag("closure-request", "0198"), "An earlier request has tagged it: closure-request=0198.", ""},
		{"of spend at the setting", func(w *world) { w.cost(last, s3Service, 100) }, "Its cost in " + last.Format("January") + ", $100.00, is not below $100 a month.", ""},
		{"of spend over the setting in several services", func(w *world) { w.cost(last, s3Service, 60); w.cost(last, ec2Service, 60.25) }, "Its cost in " + last.Format("January") + ", $120.25, is not below $100 a month.", ""},
		{"not of spend below the setting", func(w *world) { w.cost(last, s3Service, 99.99) }, "", "a month"},
		{"not of this month's spend", func(w *world) { w.cost(current, s3Service, 400) }, "", "a month"},
		{"not of spend without the setting", func(w *world) { w.cost(last, s3Service, 900); w.settings.WarnSpend = 0 }, "", "a month"},
		{"of a commitment", func(w *world) { w.cost(last, "Savings Plans for AWS Compute usage", 9) }, "It pays for a commitment, Savings Plans for AWS Compute usage, which goes on to be billed when it is closed.", ""},
		{"of a new commitment", func(w *world) { w.cost(current, "Savings Plans for AWS Machine Learning", 9) }, "It pays for a commitment, Savings Plans for AWS Machine Learning", ""},
		{"of recent activity", func(w *world) { w.cost(current, s3Service, 31) }, "It cost $31.00 in " + current.Format("January") + " so far (S3). Ask its owner before you approve.", "a month"},
		{"of recent activity in several services", func(w *world) { w.cost(current, s3Service, 31); w.cost(current, "Amazon Braket", 33) }, "It cost $64.00 in " + current.Format("January") + " so far (Amazon Braket, S3). Ask its owner before you approve.", ""},
		{"not of old activity", func(w *world) { w.cost(last.AddDate(0, -2, 0), s3Service, 50) }, "", "Ask its owner"},
		{"not of cents", func(w *world) { w.cost(current, s3Service, 0.009) }, "", "Ask its owner"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.arrange(w)
			plan := w.look(w.walk())
			if test.want != "" && !warned(plan, test.want) {
				t.Errorf("warnings %q, want %q", plan.Warnings, test.want)
			}
			if test.never != "" && warned(plan, test.never) {
				t.Errorf("warnings %q, with %q", plan.Warnings, test.never)
			}
			if sorted := slices.Sorted(slices.Values(plan.Warnings)); len(slices.Compact(sorted)) != len(plan.Warnings) {
				t.Errorf("one warning twice: %q", plan.Warnings)
			}
			if len(plan.Effects()) != 4 {
				t.Errorf("effects %q", plan.Effects())
			}
			w.untouched()
		})
	}
}

// Use that ended with the last month is told with that month's cost.
func TestPlanWarnsOfLastMonthsUse(t *testing.T) {
	t.Parallel()
	last, current := months()
	if time.Now().UTC().AddDate(0, 0, -30).After(current) {
		t.Skip("the last month is over for more than 30 days")
	}
	w := newWorld(t)
	w.cost(last, s3Service, 31)
	w.cost(last, ec2Service, 62)
	w.cost(last, "EC2 - Other", 310)
	if plan, want := w.look(w.walk()), "It cost $403.00 in "+last.Format("January")+" (EC2, S3). Ask its owner before you approve."; !warned(plan, want) {
		t.Errorf("warnings %q, want %q", plan.Warnings, want)
	}
	w.untouched()
}

// A commitment that is paid in both months is warned of once.
func TestPlanWarnsOnceOfACommitment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	last, current := months()
	for _, month := range []time.Time{last, current} {
		w.cost(month, "Savings Plans for AWS Compute usage", 9)
	}
	count := 0
	for _, warning := range w.look(w.walk()).Warnings {
		if strings.Contains(warning, "commitment") {
			count++
		}
	}
	if count != 1 {
		t.Errorf("%d warnings of it", count)
	}
	w.untouched()
}

// It isn't the bot that knows AWS's quota: it counts, and AWS decides.
func TestPlanCountsTheQuota(t *testing.T) {
	t.Parallel()
	began := time.Now().UTC().Truncate(time.Minute)
	closed := func(n int) (list []time.Time) {
		for i := range n {
			list = append(list, began.Add(-time.Duration(n-i)*time.Hour)) // the first is the oldest
		}
		slices.Reverse(list)
		return list
	}
	for _, test := range []struct {
		name  string
		quota deleteaccount.Quota
		n     int
		fact  string
		until time.Time // zero: no warning
	}{
		{"far from it", deleteaccount.Quota{Percent: 20, Minimum: 250, Maximum: 1000}, 3, "3 of 250 ", time.Time{}},
		{"one before", deleteaccount.Quota{Percent: 20, Minimum: 3, Maximum: 1000}, 2, "2 of 3 ", time.Time{}},
		{"at it", deleteaccount.Quota{Percent: 20, Minimum: 3, Maximum: 1000}, 3, "3 of 3 ", began.Add(-3*time.Hour + 30*day)},
		{"beyond it", deleteaccount.Quota{Percent: 20, Minimum: 3, Maximum: 1000}, 5, "5 of 3 ", began.Add(-3*time.Hour + 30*day)},
		{"a percentage of the members", deleteaccount.Quota{Percent: 100, Minimum: 1, Maximum: 1000}, 1, "1 of 5 ", time.Time{}},
		{"but not more than the maximum", deleteaccount.Quota{Percent: 100, Minimum: 1, Maximum: 4}, 1, "1 of 4 ", time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settings.Quota = test.quota
			walk := w.walk()
			walk.Request.Called = map[string][]time.Time{"CloseAccount": closed(test.n)}
			plan := w.look(walk)
			if got := fact(plan, "Closed in 30 days"); !strings.HasPrefix(got, test.fact) {
				t.Errorf("fact %q, want %q", got, test.fact)
			}
			if want := "used up: closing will wait until " + test.until.Format("2 Jan 2006 15:04 UTC"); warned(plan, want) == test.until.IsZero() || warned(plan, "used up") == test.until.IsZero() {
				t.Errorf("warnings %q, want %v", plan.Warnings, test.until)
			}
			w.untouched()
		})
	}
}

// shapes are what a plan looks like in the ways that an installer may choose.
var shapes = []struct {
	name              string
	disabled, closed  bool
	grace             time.Duration
	arrange           func(*world)
	steps             []string
	summary           string
	effects, warnings func(*world) []string
}{
	{
		name: "with both units", disabled: true, closed: true, grace: 14 * day, summary: "Disable account " + sinkingText + " now, and close it 14 days later, on ${end} if this is approved at once, unless a member presses Restore.",
		steps: []string{"disable", "grace: Wait 14 days, in which a member can press Restore", "close", "follow", "archive"},
		effects: func(w *world) []string {
			return []string{
				"Tag account " + sinkingText + " with closure-request and closure-from",
				"Move account " + sinkingText + " from " + w.unit(w.ponds) + " to " + w.unit(w.disabled),
				w.closing(w.disabled),
				"Move account " + sinkingText + " from " + w.unit(w.disabled) + " to " + w.unit(w.closed),
			}
		},
	},
	{
		name: "without grace", disabled: true, closed: true, summary: "Close account " + sinkingText + ".", steps: []string{"disable", "close", "follow", "archive"},
		effects: func(w *world) []string {
			return []string{
				"Tag account " + sinkingText + " with closure-request and closure-from",
				"Move account " + sinkingText + " from " + w.unit(w.ponds) + " to " + w.unit(w.disabled),
				w.closing(w.disabled),
				"Move account " + sinkingText + " from " + w.unit(w.disabled) + " to " + w.unit(w.closed),
			}
		},
	},
	{
		name: "without a unit for closed accounts", disabled: true, grace: 90 * time.Minute, summary: "Disable account " + sinkingText + " now, and close it 90 minutes later, on ${end} if this is approved at once, unless a member presses Restore.",
		steps: []string{"disable", "grace: Wait 90 minutes, in which a member can press Restore", "close", "follow", "archive"},
		effects: func(w *world) []string {
			return []string{
				"Tag account " + sinkingText + " with closure-request and closure-from",
				"Move account " + sinkingText + " from " + w.unit(w.ponds) + " to " + w.unit(w.disabled),
				w.closing(w.disabled),
			}
		},
	},
	{
		name: "without a unit for disabled accounts", closed: true, summary: "Close account " + sinkingText + ".", steps: []string{"close", "follow", "archive"},
		effects: func(w *world) []string {
			return []string{w.closing(w.ponds), "Move account " + sinkingText + " from " + w.unit(w.ponds) + " to " + w.unit(w.closed)}
		},
	},
	{
		name: "without units", summary: "Close account " + sinkingText + ".", steps: []string{"close", "follow", "archive"},
		effects: func(w *world) []string { return []string{w.closing(w.ponds)} },
	},
	{
		name: "of an account in the root", disabled: true, closed: true, arrange: func(w *world) { w.o.Move(sinking, w.o.Root()) },
		summary: "Close account " + sinkingText + ".", steps: []string{"disable", "close", "follow", "archive"},
		effects: func(w *world) []string {
			return []string{
				"Tag account " + sinkingText + " with closure-request and closure-from",
				"Move account " + sinkingText + " from " + w.unit(w.o.Root()) + " to " + w.unit(w.disabled),
				w.closing(w.disabled),
				"Move account " + sinkingText + " from " + w.unit(w.disabled) + " to " + w.unit(w.closed),
			}
		},
	},
	{
		name: "of an account that is disabled by hand", disabled: true, closed: true, arrange: func(w *world) { w.o.Move(sinking, w.disabled) },
		summary: "Close account " + sinkingText + ".", steps: []string{"disable", "close", "follow", "archive"},
		effects: func(w *world) []string {
			return []string{
				"Tag account " + sinkingText + " with closure-request and closure-from", w.closing(w.disabled),
				"Move account " + sinkingText + " from " + w.unit(w.disabled) + " to " + w.unit(w.closed),
			}
		},
	},
	{
		name: "of an open account among the closed ones", disabled: true, closed: true, arrange: func(w *world) { w.o.Move(sinking, w.closed) },
		summary: "Close account " + sinkingText + ".", steps: []string{"disable", "close", "follow", "archive"},
		effects: func(w *world) []string {
			return []string{
				"Tag account " + sinkingText + " with closure-request and closure-from",
				"Move account " + sinkingText + " from " + w.unit(w.closed) + " to " + w.unit(w.disabled),
				w.closing(w.disabled),
				"Move account " + sinkingText + " from " + w.unit(w.disabled) + " to " + w.unit(w.closed),
			}
		},
	},
}

func TestPlanNamesEverythingByItsID(t *testing.T) {
	t.Parallel()
	for _, test := range shapes {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.modes(test.disabled, test.closed, test.grace)
			if test.arrange != nil {
				test.arrange(w)
			}
			walk := w.walk()
			plan := w.look(walk)
			if diff := cmp.Diff(test.effects(w), plan.Effects()); diff != "" {
				t.Errorf("effects (-want +got):\n%s", diff)
			}
			var steps []string
			for _, s := range plan.Steps {
				if s.Do == "grace" {
					s.Do += ": " + s.Title
				}
				steps = append(steps, s.Do)
			}
			if diff := cmp.Diff(test.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			end := walk.Request.At.Add(test.grace).UTC().Format("2 Jan 15:04 UTC")
			if plan.Summary != strings.ReplaceAll(test.summary, "${end}", end) {
				t.Errorf("summary %q", plan.Summary)
			}
			w.untouched()
			// What it then does is what it said: no move is made that wasn't shown.
			w.run(walk)
			moves := 0
			for _, effect := range plan.Effects() {
				if strings.HasPrefix(effect, "Move") {
					moves++
				}
			}
			if got := w.aws.Count("organizations:MoveAccount"); got != moves {
				t.Errorf("%d moves, and %d were shown", got, moves)
			}
		})
	}
}

// modes switches what an installer may leave out.
func (w *world) modes(disabled, closed bool, grace time.Duration) {
	if !disabled {
		w.settings.DisabledOU = ""
	}
	if !closed {
		w.settings.ClosedOU = ""
	}
	w.settings.Grace = grace
	if faults := w.settings.Check(); len(faults) > 0 {
		w.Fatalf("settings: %v", faults)
	}
}

func (w *world) closing(in string) string {
	return "Close account " + sinkingText + " in " + w.unit(in) + ", with everything in it; AWS's support can reinstate it for 90 days"
}
