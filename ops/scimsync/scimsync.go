// Package scimsync runs the function that copies GitHub's teams to AWS IAM
// Identity Center, and says by name who was added to which team.
//
// The function (ministryofjustice/moj-terraform-scim-github) takes no
// arguments, prints each line before it does what the line says, waits for
// nothing and drops its errors. So this operation never believes it: the plan
// says what the function will do by the function's own rules, the run follows
// the log of exactly one invocation, and the report is read from Identity
// Center, before and after.
//
// The function's rules: a group belongs to the team whose slug is the group's
// name in lower case; a user's name is the login in lower case and a suffix;
// what GitHub doesn't have is deleted, except users with an e-mail address of
// the type EntraId and groups whose names match a pattern.
package scimsync

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/step"
)

//go:embed look.json
var lookPolicy string

//go:embed act.json
var actPolicy string

// operation is what the functions of the card share.
type operation struct {
	settings     Settings
	aws          *awsaccess.Broker
	github       *github.Client
	organization string
	awsLimit     *awsaccess.Limit
	githubLimit  *awsaccess.Limit
}

// Operation returns the card. The settings must have passed Check. The broker
// and the client may be nil where only the card is read.
func (s *Settings) Operation(broker *awsaccess.Broker, client *github.Client, organization string) ops.Operation {
	o := &operation{
		settings: *s, aws: broker, github: client, organization: organization,
		awsLimit:    &awsaccess.Limit{PerSecond: s.CallsPerSecond},
		githubLimit: &awsaccess.Limit{PerSecond: s.CallsPerSecond},
	}
	return ops.Operation{
		Name:    s.Name(),
		Command: "/scim-sync",
		Doc: "Sync GitHub teams to AWS Identity Center\n" +
			"Runs the function " + s.Function + " and says who was added to and removed from which team, as Identity Center has it afterwards.",
		Usage: []ops.Usage{
			{Form: "/scim-sync", For: "run the sync and say what changed"},
			{Form: "/scim-sync <github-login>…", For: "the same, and which teams these people are in"},
			{Form: "/scim-sync plan", For: "only say what the sync would do"},
			{Form: "/scim-sync user:<github-login>…", For: "of people who aren't in the organisation"},
		},
		Form: []ops.Field{{
			Name: "people", Label: "GitHub logins", Hint: "People to report on in particular.",
			List: true, Optional: true, Check: checkLogin,
		}},
		Access: ops.Access{Look: lookPolicy, Act: actPolicy},
		Lock:   func(ops.Request) string { return s.Name() },
		Doubt:  o.doubt,
		Plan:   o.plan,
		// Irreversible is nil: the one call that changes something, Invoke, can't be
		// taken back.
		Do: map[string]func(context.Context, ops.Run) error{
			"invoke": step.Retry(o.invoke),
			"follow": o.follow,
			"check":  o.check,
		},
	}
}

// slackName is how Slack writes that somebody is meant: "<@U123|badger>", or "@badger"
// where it leaves the word as it was typed.
var slackName = regexp.MustCompile(`^(?:<@[A-Z0-9]+\|([^>]*)>|@(.*))$`)

func checkLogin(word string) error {
	word, _ = bare(word)
	invalid := func(format string, args ...any) error {
		return &ops.Error{Kind: ops.Invalid, What: fmt.Sprintf(format, args...)}
	}
	if m := slackName.FindStringSubmatch(word); m != nil {
		if name := m[1] + m[2]; githubaccess.IsLogin(name) {
			return invalid("@%s is a Slack name. Did you mean: /scim-sync %s", name, name)
		}
		return invalid("%.40s is a Slack name. A GitHub login is needed, such as octocat.", word)
	}
	if bare := strings.Trim(word, "\"'`“”‘’,;"); bare != word && githubaccess.IsLogin(bare) {
		return invalid("%s can't be a GitHub login. Did you mean: /scim-sync %s", word, bare)
	}
	if len(word) > 39 {
		return invalid("%.39q… can't be a GitHub login.", word)
	}
	if !githubaccess.IsLogin(word) {
		return invalid("%q can't be a GitHub login.", word)
	}
	return nil
}

// data is what a plan keeps for its steps.
type data struct {
	Before Directory `json:"before"`
	Teams  Teams     `json:"teams"`
	Terms  terms     `json:"terms"`
	People []string  `json:"people,omitempty"` // the logins asked for, as the function writes them
}

func (o *operation) plan(ctx context.Context, r ops.Request, progress ops.Progress) (ops.Plan, error) {
	people, err := o.people(ctx, r.Inputs["people"])
	if err != nil {
		return ops.Plan{}, err
	}
	teams, have, err := o.look(ctx, r, progress)
	if err != nil {
		return ops.Plan{}, err
	}
	changes := intended(teams, have)
	kept, err := json.Marshal(data{Before: have, Teams: teams, Terms: o.settings.terms(), People: people})
	if err != nil {
		return ops.Plan{}, fmt.Errorf("encode the plan's data: %w", err)
	}
	invoke := ops.Step{Do: "invoke", Title: "Invoke " + o.settings.Function, Effects: []string{
		fmt.Sprintf("Invoke the Lambda function %s in %s with {}", o.settings.Function, o.settings.Region),
	}}
	invoke.Effects = append(invoke.Effects, effects(changes, shown(r), o.settings.EmailSuffix)...)
	p := ops.Plan{
		Summary: summary(changes),
		Data:    kept,
		Terms:   o.settings.facts(),
		Steps:   []ops.Step{invoke, {Do: "follow", Title: "Follow its log"}, {Do: "check", Title: "Read Identity Center again"}},
	}
	gone := lost(changes)
	p.Facts = []ops.Fact{
		{Label: "GitHub", Value: fmt.Sprintf("%s with %s in %s", ops.Count(len(teams), "team"), ops.Count(teams.people(), "person", "people"), o.organization)},
		{Label: "Identity Center", Value: fmt.Sprintf("%s, %s, %s in %s", ops.Count(len(have.Groups), "group"), ops.Count(len(have.Users), "user"),
			ops.Count(len(have.Memberships), "membership"), o.settings.IdentityStore)},
		{Label: "Deletions", Value: fmt.Sprintf("%d, of at most %d without an approval", gone.count(), o.settings.MaxDeletions)},
	}
	if text := gone.leavers(); text != "" {
		p.Facts = append(p.Facts, ops.Fact{Label: "Deleted users", Value: text})
	}
	p.Facts = append(p.Facts, o.facts(people, teams, have)...)
	if len(have.Groups) == 0 && len(have.Users) == 0 {
		p.Warnings = append(p.Warnings, "Identity Center holds no group and no user that the function would keep. Is "+o.settings.IdentityStore+" the right identity store?")
	}
	for _, login := range people {
		if !teams.has(login) {
			p.Warnings = append(p.Warnings, login+" is in none of the organisation's teams.")
		}
	}
	if gone.count() > o.settings.MaxDeletions {
		p.Approval = ops.Rule{Count: 1, Why: gone.why(o.settings.MaxDeletions)}
	}
	return p, nil
}

// shown are the changes of the plan that people have been shown; none: there is
// no such plan.
func shown(r ops.Request) []change {
	var kept data
	if r.Shown == nil || json.Unmarshal(r.Shown.Data, &kept) != nil {
		return nil
	}
	return intended(kept.Teams, kept.Before)
}

// look reads both sides at once.
func (o *operation) look(ctx context.Context, r ops.Request, progress ops.Progress) (Teams, Directory, error) {
	var (
		wait        sync.WaitGroup
		teams       Teams
		have        Directory
		errA, errB  error
		mu          sync.Mutex
		left, right = "GitHub: listing teams", "Identity Center: listing users and groups"
	)
	tell := func(side *string, format string) func(done, of int) {
		return func(done, of int) {
			mu.Lock()
			*side = fmt.Sprintf(format, done, of)
			text := left + "; " + right
			mu.Unlock()
			progress("%s", text)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait.Go(func() {
		if teams, errA = o.readTeams(ctx, tell(&left, "GitHub: %d of %d teams")); errA != nil {
			cancel()
		}
	})
	wait.Go(func() {
		if have, errB = o.readDirectory(ctx, r, tell(&right, "Identity Center: %d of %d groups")); errB != nil {
			cancel()
		}
	})
	wait.Wait()
	// The side that was cancelled because the other failed has nothing to say.
	if errA != nil && !errors.Is(errA, context.Canceled) {
		return nil, Directory{}, errA
	}
	if errB != nil {
		return nil, Directory{}, errB
	}
	if errA != nil {
		return nil, Directory{}, errA
	}
	return teams, have, nil
}

// people are the logins asked for, as the function writes them. Each must be
// on GitHub.
func (o *operation) people(ctx context.Context, words []string) ([]string, error) {
	var logins []string
	for _, word := range words {
		word, _ = bare(word)
		user, _, err := o.github.Users.Get(ctx, word)
		if githubaccess.NotFound(err) {
			return nil, &ops.Error{
				Kind: ops.Invalid, What: fmt.Sprintf("GitHub has no user %s.", word),
				Next: "Check the spelling; /scim-sync help shows the forms of the command.", Err: err,
			}
		}
		if err != nil {
			return nil, githubaccess.Explain(fmt.Errorf("look up %s: %w", word, err))
		}
		logins = append(logins, strings.ToLower(user.GetLogin()))
	}
	return logins, nil
}

// facts tell where the people asked for are now, and will be.
func (o *operation) facts(people []string, teams Teams, have Directory) []ops.Fact {
	var facts []ops.Fact
	now := have.teamsOf()
	for _, login := range people {
		facts = append(facts, ops.Fact{Label: login, Value: fmt.Sprintf("in Identity Center: %s; on GitHub: %s",
			list(now[login]), list(teams.of(login)))})
	}
	return facts
}

// identityCenter is a client that may read.
func (o *operation) identityCenter(r ops.Request) (*identitystore.Client, error) {
	session, err := o.aws.Session(awsaccess.Stage{
		Role: o.settings.LookRole, Region: o.settings.Region, Policy: lookPolicy,
		Values: map[string]string{"identity_store": o.settings.IdentityStore},
	}, r)
	if err != nil {
		return nil, err
	}
	return identitystore.NewFromConfig(session, func(c *identitystore.Options) {
		c.APIOptions = append(c.APIOptions, o.awsLimit.Option)
		c.Retryer = retry.AddWithMaxAttempts(c.Retryer, 8)
	}), nil
}

// acting is the configuration to run the function and read its log with.
func (o *operation) acting(r ops.Request) (aws.Config, error) {
	return o.aws.Session(awsaccess.Stage{
		Role: o.settings.ActRole, Region: o.settings.Region, Policy: actPolicy, Acts: true,
		Values: map[string]string{"function": o.settings.Function, "log_group": o.settings.logGroup()},
	}, r)
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}

func (t Teams) people() int {
	all := map[string]bool{}
	for _, members := range t {
		for _, login := range members {
			all[login] = true
		}
	}
	return len(all)
}

func (t Teams) has(login string) bool { return len(t.of(login)) > 0 }

// of is the teams that have the login, sorted.
func (t Teams) of(login string) []string {
	var teams []string
	for team, members := range t {
		if slices.Contains(members, login) {
			teams = append(teams, team)
		}
	}
	slices.Sort(teams)
	return teams
}
