package awstest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// SyncFunction is the Lambda function that makes Identity Center's users, groups and memberships what GitHub's teams are:
// ministryofjustice/moj-terraform-scim-github as it is deployed, down to the order of its work and the text of its log. It
// changes the store directly; its own calls are not in the ledger.
type SyncFunction struct {
	// Name is the function's; "" is aws-sso-scim-github. Region "" is the Cloud's.
	Name, Region string

	// IdentityStore is the ID of the store it writes to; "" is d-1234567890.
	IdentityStore string

	// EmailSuffix is what a login gets behind it to be a user name: "@example.org".
	EmailSuffix string

	// IgnoreTeams are slugs it leaves out; nil is all-org-members and business-units.
	IgnoreTeams []string

	// Teams is what GitHub says when the function asks; nil is no teams. An error makes the invocation fail.
	Teams func() ([]Team, error)

	// DryRun only prints what it would do.
	DryRun bool

	// Timeout is the function's; 0 is 300 s. Retries, LogFormat and SystemLogLevel are Function's.
	Timeout                   time.Duration
	Retries                   int
	LogFormat, SystemLogLevel string

	// Pace is how long each call to Identity Store takes; 0 is no time.
	Pace time.Duration

	// Gate, if not nil, is called before each line about a user, a group or a membership: a test that blocks in it holds the
	// function in the middle. It should return when ctx ends.
	Gate func(ctx context.Context, e SyncEntity)

	// Faults are what goes wrong.
	Faults SyncFaults
}

// Team is a GitHub team as the function sees it: slug and logins.
type Team struct {
	Slug    string
	Members []string
}

// TeamsOf is a Teams function that always gives the same answer, slugs in order.
func TeamsOf(teams map[string][]string) func() ([]Team, error) {
	return func() ([]Team, error) {
		var all []Team
		for _, slug := range slices.Sorted(maps.Keys(teams)) {
			all = append(all, Team{slug, teams[slug]})
		}
		return all, nil
	}
}

// SyncEntity is one thing the function is about to do.
type SyncEntity struct {
	Verb string // create or delete
	Kind string // group, user or membership
	Name string // the group's name, the login, or "login in group"
}

// SyncFaults are the defects of the real function that a run can show. The zero value is a run without any.
type SyncFaults struct {
	// Drop names things, as SyncEntity.Name does, whose line is printed while the call quietly fails: the function doesn't
	// await its calls.
	Drop []string

	// Reject names things whose call fails as an unhandled rejection: an ERROR line about a ThrottlingException, but the
	// invocation succeeds. ErrorsWithoutID has undefined in such lines where the request ID should be.
	Reject          []string
	ErrorsWithoutID bool

	// BlindToNewUsers lets the function not see the users it has just made: it prints "creating group membership for user
	// undefined in group <id>" and does nothing. A second run repairs that. BlindToNewGroups likewise leaves new groups empty.
	BlindToNewUsers, BlindToNewGroups bool

	// EmptyGitHub is GitHub answering with no teams at all: everything the function owns is deleted.
	EmptyGitHub bool

	// CrashAfter is throttling: after so many writes the next one meets ThrottlingException, its last retry fails and the
	// process exits. The real function gets about 25 far. 0 is never.
	CrashAfter int

	// TimeOutAfter stops the run as its time-out does, before the write that follows so many others. 0 is never.
	TimeOutAfter int

	// Noise is printed at the start as it is, without the envelope of the runtime: what another library writes.
	Noise []string

	// NoReport leaves the REPORT line out.
	NoReport bool

	// LoseLastGroup prints the last group's memberships and loses them, as when the process freezes the instant it returns.
	// ThawLastGroup does so too, but they are done when the next invocation wakes the process up.
	LoseLastGroup, ThawLastGroup bool
}

// Sync is a SyncFunction in a Cloud.
type Sync struct {
	mu sync.Mutex
	f  SyncFunction
}

// Update changes the function; an invocation that has begun goes on with what was before.
func (s *Sync) Update(change func(*SyncFunction)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.f)
}

// AddSyncFunction adds the function and its identity store. Its Name, Region, IdentityStore, Timeout, Retries and log stay what
// they are now.
func (c *Cloud) AddSyncFunction(f SyncFunction) *Sync {
	if f.Name == "" {
		f.Name = "aws-sso-scim-github"
	}
	if f.IdentityStore == "" {
		f.IdentityStore = "d-1234567890"
	}
	if f.Timeout == 0 {
		f.Timeout = 300 * time.Second
	}
	store := c.IdentityStore(f.IdentityStore)
	s := &Sync{f: f}
	c.AddFunction(Function{
		Name: f.Name, Region: f.Region, Timeout: f.Timeout, Retries: f.Retries, MemoryMB: 512,
		LogFormat: f.LogFormat, SystemLogLevel: f.SystemLogLevel,
		Run: func(inv *Invocation) {
			s.mu.Lock()
			run := &syncRun{SyncFunction: s.f, cloud: c, inv: inv, store: store}
			s.mu.Unlock()
			run.run()
		},
	})
	return s
}
