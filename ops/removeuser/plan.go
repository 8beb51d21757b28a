package removeuser

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// data is what a plan keeps for its steps, which go by it and not by the settings
// of the day, and for people who make a like user.
type data struct {
	User    *User         `json:"user,omitempty"`    // as it was when it was first shown; nil: not in IAM
	Name    string        `json:"name,omitempty"`    // the user's, as IAM has it; where IAM has no such user, as Terraform has it
	Account string        `json:"account,omitempty"` // the user's, by name and ID
	Roles   []Role        `json:"roles,omitempty"`
	Read    time.Time     `json:"read,omitzero"`    // when CloudTrail was asked for the roles
	Unread  bool          `json:"unread,omitempty"` // CloudTrail didn't tell all of them
	Grace   time.Duration `json:"grace,omitempty"`
	Source  source        `json:"source,omitzero"`  // where Terraform defines the user; zero: nowhere
	Files   []string      `json:"files,omitempty"`  // that the pull request changes
	Label   string        `json:"label,omitempty"`  // of the resource that defines the user
	Commit  string        `json:"commit,omitempty"` // at which Terraform's files were read
}

func kept(run ops.Run) (data, error) { return decode(run.Plan()) }

func decode(p ops.Plan) (data, error) {
	var d data
	if err := json.Unmarshal(p.Data, &d); err != nil {
		return d, fmt.Errorf("decode the plan's data: %w", err)
	}
	return d, nil
}

// is refuses another user than the one that was shown: the same name made anew
// is another principal.
func (d data) is(u *User) error {
	switch {
	case d.User == nil:
		return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("There was no IAM user %s when this was planned, and there is one now (%s), which is left alone.", u.Name, u.ID)}
	case d.User.ID != u.ID:
		return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("The IAM user %s is another one now: %s was to be removed, and %s is there, which is left alone.", u.Name, d.User.ID, u.ID)}
	}
	return nil
}

func (o *operation) plan(ctx context.Context, r ops.Request, progress ops.Progress) (ops.Plan, error) {
	name := userOf(r)
	if err := o.settings.checkAddress(name); err != nil {
		return ops.Plan{}, &ops.Error{Kind: ops.Invalid, What: err.Error()}
	}
	if pattern := o.settings.protectedBy(name); pattern != "" {
		return ops.Plan{}, &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("%s is protected by the pattern %q in the bot's settings.", name, pattern)}
	}
	var shown data
	if r.Shown != nil {
		var err error
		if shown, err = decode(*r.Shown); err != nil {
			return ops.Plan{}, err
		}
		r = shown.spell(r)
	}
	user, found, err := o.find(ctx, r)
	if err != nil {
		return ops.Plan{}, err
	}
	if user != nil {
		r = spelled(r, user.Name)
	}
	name = userOf(r)
	if user != nil {
		if err := o.mayTake(user, shown); err != nil {
			return ops.Plan{}, err
		}
	}
	defined := found.found()
	d := data{User: user, Name: name, Grace: o.settings.Grace}
	// What Terraform defined when this was shown is removed from there, also once the
	// pull request that does it has been merged.
	if defined || shown.Source != (source{}) {
		d.Source = o.settings.source()
		d.Files = together(shown.files(), found.files(d.Source))
		d.Label, d.Commit = cmp.Or(shown.Label, found.Label), cmp.Or(shown.Commit, found.commit)
	}
	p := ops.Plan{Target: name, Summary: o.summary(r, user, d, defined), Steps: o.steps(r, user, d), Terms: o.settings.terms()}
	if r.Shown != nil {
		// A second look: the evidence has been weighed.
		p.Facts, p.Warnings = r.Shown.Facts, r.Shown.Warnings
		d.Account, d.Roles, d.Read, d.Unread = shown.Account, shown.Roles, shown.Read, shown.Unread
		if shown.User != nil {
			d.User = shown.User
		}
	} else if user != nil {
		p.Facts, p.Warnings = o.weigh(ctx, r, &d, progress)
	}
	if r.Shown == nil && o.settings.Users == byTerraform {
		facts, warnings := found.tell(o.settings.source(), name, user != nil)
		p.Facts, p.Warnings = append(p.Facts, facts...), append(p.Warnings, warnings...)
	}
	p.Data, err = json.Marshal(d)
	if err != nil {
		return ops.Plan{}, fmt.Errorf("encode the plan's data: %w", err)
	}
	return p, nil
}

// find reads the user from IAM, and whether Terraform defines it. A user who is in
// neither is refused at the first look: that a name isn't found says nothing of
// the person.
func (o *operation) find(ctx context.Context, r ops.Request) (*User, edit, error) {
	user, names, err := o.search(ctx, r)
	if err == nil && user != nil && r.Shown == nil {
		var client *iam.Client
		if client, err = o.reader(spelled(r, user.Name)); err == nil {
			err = readUses(ctx, client, user)
		}
	}
	if err != nil {
		return nil, edit{}, awsaccess.Explain(err, o.settings.LookRole)
	}
	if user != nil {
		r = spelled(r, user.Name)
	}
	var found edit
	if o.settings.Users == byTerraform {
		if found, _, err = o.readAt(ctx, o.settings.source(), userOf(r), r.Shown != nil); err != nil {
			return nil, found, err
		}
	}
	if r.Shown != nil {
		return user, found, nil
	}
	if user == nil && !found.found() {
		return nil, found, o.notFound(userOf(r), names)
	}
	return user, found, found.mayBeMade(o.settings.source(), userOf(r))
}

// mayTake refuses users who may not be touched, or can't be taken.
func (o *operation) mayTake(u *User, shown data) error {
	for _, key := range slices.Sorted(maps.Keys(o.settings.ProtectedTags)) {
		for had, value := range u.Tags {
			// IAM doesn't tell the keys of tags apart by case.
			if strings.EqualFold(had, key) && value == o.settings.ProtectedTags[key] {
				return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("%s is protected by its tag %s=%s.", u.Name, had, value)}
			}
		}
	}
	if shown.User != nil {
		if err := shown.is(u); err != nil {
			return err
		}
	}
	if u.full() && !u.denied() {
		return o.settings.mayBind(u)
	}
	return nil
}

// weigh is the evidence for people who decide.
func (o *operation) weigh(ctx context.Context, r ops.Request, d *data, progress ops.Progress) ([]ops.Fact, []string) {
	u := d.User
	var unknown []string
	d.Read = time.Now().UTC().Truncate(time.Second)
	d.Roles, unknown, d.Unread = o.readTrail(ctx, r, u.Name, d.Read, progress)
	d.Account = o.nameAccount(ctx, r, accountOf(u))
	facts, warnings := o.evidence(u, d.Roles, unknown)
	if was, ok := earlier(u); ok {
		warnings = append(warnings, fmt.Sprintf("%s is in quarantine since %s, by request %s; the time of grace counts from then.", u.Name, moment(was.At), u.Tags[tagRequest]))
	}
	if d.Source != (source{}) && u.full() && !u.denied() {
		warnings = append(warnings, fmt.Sprintf("Terraform takes a permissions boundary off again that its files don't name. If that happens before the pull request is merged, %s has access again, and the run stops and says so.", u.Name))
	}
	return facts, warnings
}

// files are those that a plan names; plans made before they were kept named two.
func (d data) files() []string {
	if len(d.Files) == 0 && d.Source != (source{}) {
		return []string{d.Source.UsersFile, d.Source.MembersFile}
	}
	return d.Files
}

// together are the files that a plan names: those that were shown, and those that the
// pull request would change now.
func together(shown, now []string) []string {
	all := slices.Clone(shown)
	for _, file := range now {
		if !slices.Contains(all, file) {
			all = append(all, file)
		}
	}
	return all
}

// endOfEarlier is when the time of grace ends of an earlier request's quarantine, which
// this request takes over, and whether that is over; the zero time: there is none.
func (d data) endOfEarlier(r ops.Request) (end time.Time, over bool) {
	was, ok := earlier(d.User)
	if !ok || was.Took == r.ID {
		return time.Time{}, false
	}
	end = was.At.Add(d.Grace)
	return end, !end.After(time.Now())
}

func (o *operation) summary(r ops.Request, user *User, d data, defined bool) string {
	switch {
	case user == nil && defined:
		return fmt.Sprintf("%s is no longer in IAM, but still defined in %s.", d.Name, o.settings.Repository)
	case user == nil:
		return d.Name + " is no longer in IAM."
	}
	now := fmt.Sprintf("Take all access from IAM user %s (%s) now", user.Name, user.ID)
	end, over := d.endOfEarlier(r)
	switch {
	case o.settings.Users == byTerraform && d.Source == (source{}):
		return fmt.Sprintf("%s, and leave the user in quarantine: no file of %s defines the user, so no pull request can remove it.", now, o.settings.Repository)
	case d.Grace > 0 && over:
		return fmt.Sprintf("%s, and remove the user at once: the time of grace, which began with an earlier quarantine, was over at %s.", now, moment(end))
	case d.Grace > 0 && !end.IsZero():
		return fmt.Sprintf("%s, and remove the user at %s unless Restore is pressed.", now, moment(end))
	case d.Grace > 0:
		return fmt.Sprintf("%s, and remove the user %s later unless Restore is pressed.", now, ops.Span(d.Grace))
	}
	return now + ", and remove the user."
}

// onlyQuarantines tells whether a plan locks a user out and removes nobody: the user is
// in IAM, and Terraform, which owns the users, defines no such one.
func onlyQuarantines(p ops.Plan) bool {
	does := func(name string) bool {
		return slices.ContainsFunc(p.Steps, func(s ops.Step) bool { return s.Do == name })
	}
	return does("quarantine") && !does("delete") && !does("propose")
}

// steps are those of the run, with exact IDs, less the effects that are there already. An
// effect reads the same before and after the quarantine, for the plan is made
// again while the run is under way.
func (o *operation) steps(r ops.Request, u *User, d data) []ops.Step {
	name := userOf(r)
	var steps []ops.Step
	if u != nil {
		steps = append(steps, ops.Step{Do: "quarantine", Title: "Quarantine " + name, Effects: quarantining(u, r)})
		switch end, over := d.endOfEarlier(r); {
		case d.Grace > 0 && over:
			steps = append(steps, ops.Step{Do: "grace", Title: "Wait no longer: the time of grace was over at " + moment(end)})
		case d.Grace > 0 && !end.IsZero():
			steps = append(steps, ops.Step{Do: "grace", Title: fmt.Sprintf("Wait until %s, in which time Restore puts everything back", moment(end))})
		case d.Grace > 0:
			steps = append(steps, ops.Step{Do: "grace", Title: fmt.Sprintf("Wait %s, in which Restore puts everything back", ops.Span(d.Grace))})
		}
	}
	switch terraform := d.Source != (source{}); {
	case o.settings.Users == byIAM && u != nil:
		steps = append(steps, ops.Step{Do: "delete", Title: "Delete " + name, Effects: deletions(u)})
	case terraform:
		steps = append(steps,
			ops.Step{Do: "propose", Title: "Open a pull request", Effects: []string{
				fmt.Sprintf("Open a pull request to %s (%s) that removes %s from %s", d.Source.Repository, d.Source.Branch, name, and(d.Files)),
			}},
			ops.Step{Do: "merge", Title: "Wait until people have merged it"})
		if u != nil {
			steps = append(steps, ops.Step{Do: "empty", Title: "Take everything off " + name + ", so that Terraform can remove the user", Effects: deletions(u)})
		}
	}
	check := ops.Step{Do: "check", Title: "Look whether " + name + " is gone"}
	if onlyQuarantines(ops.Plan{Steps: steps}) {
		check.Title = "Look whether " + name + " is in quarantine"
	}
	return append(steps, check)
}

// quarantining are the effects that the quarantine of a user by a request still has.
func quarantining(u *User, r ops.Request) []string {
	var effects []string
	switch who := fmt.Sprintf("IAM user %s (%s)", u.Name, u.ID); {
	case u.denied():
	case u.full() && u.Boundary != "":
		effects = append(effects, fmt.Sprintf("Set %s as permissions boundary of %s, in place of %s, because %s policies are attached already", denyAll, who, u.Boundary, number(len(u.Attached))))
	case u.full():
		effects = append(effects, fmt.Sprintf("Set %s as permissions boundary of %s, because %s policies are attached already", denyAll, who, number(len(u.Attached))))
	default:
		effects = append(effects, fmt.Sprintf("Attach %s to %s", denyAll, who))
		if r.Shown != nil && len(u.left()) == 0 && !slices.Contains(r.Shown.Effects(), effects[0]) {
			effects = nil // the run has taken it off again, last of all
		}
	}
	for _, k := range u.Keys {
		if k.Active {
			effects = append(effects, "Deactivate access key "+k.ID)
		}
	}
	if u.Tags[tagRequest] != r.ID {
		effects = append(effects, fmt.Sprintf("Tag IAM user %s with %s", u.Name, strings.Join(ourTags, ", ")))
	}
	return effects
}

// deletions are the effects of deleting a user, in the order in which it is done.
func deletions(u *User) []string {
	var effects []string
	for _, r := range strip(u) {
		effects = append(effects, r.effect)
	}
	return append(effects, fmt.Sprintf("Delete IAM user %s (%s)", u.Name, u.ID))
}
