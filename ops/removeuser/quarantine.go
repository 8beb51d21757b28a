package removeuser

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// The tags of a user in quarantine.
const (
	tagRequest = "removal-request" // the request's ID
	tagAt      = "quarantined-at"
	tagKeys    = "quarantined-keys" // the access keys that were active
)

var ourTags = []string{tagRequest, tagAt, tagKeys}

// earlier is what an earlier request's quarantine changed, by the tags that it
// left: whoever takes the user back puts back what was there before that one.
func earlier(u *User) (before, bool) {
	if u == nil || u.Tags[tagRequest] == "" || !slices.Contains(u.Attached, denyAll) {
		return before{}, false
	}
	at, err := time.Parse(time.RFC3339, u.Tags[tagAt])
	if err != nil {
		return before{}, false // the tags are somebody else's
	}
	return before{At: at.UTC(), Keys: strings.Fields(u.Tags[tagKeys]), Tags: map[string]string{}}, true
}

// settle is how long IAM may take to show a change everywhere.
const settle = 2 * time.Minute

// before is what the quarantine changed, so that it can be put back exactly.
type before struct {
	At   time.Time         `json:"at"`             // when it began
	Done time.Time         `json:"done,omitzero"`  // when all of it had been asked of IAM
	Deny bool              `json:"deny,omitempty"` // deny-all was attached already
	Keys []string          `json:"keys,omitempty"` // that were active
	Tags map[string]string `json:"tags"`           // earlier values of our tags; nil: not looked at yet
}

// quarantine takes all power from the user: deny-all first. What it is about to
// change is remembered before it is changed; what was changed by an earlier
// call stays remembered.
func (o *operation) quarantine(ctx context.Context, run ops.Run) error {
	r := run.Request()
	name := userOf(r)
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	var was before
	known, err := run.Recall(ctx, "before", &was)
	if err != nil {
		return err
	}
	// Deny-all can't wait for a look at everything, but it must be the user that was shown.
	d, err := kept(run)
	if err != nil {
		return err
	}
	found, err := glance(ctx, look, name)
	if err != nil {
		return awsaccess.Explain(err, o.settings.LookRole)
	}
	if found == nil {
		return run.Log(ctx, ops.Line{Key: "gone", Text: "IAM user " + name + " is gone already."})
	}
	if err := d.is(name, found.ID); err != nil {
		return err
	}
	if !known {
		if was, known = earlier(found); !known {
			was.At, was.Deny = run.Now().UTC(), slices.Contains(found.Attached, denyAll)
		}
		if err := run.Remember(ctx, "before", was); err != nil {
			return err
		}
	}
	act, err := o.writer(r, "DenyAllAndUndo", "Quarantine")
	if err != nil {
		return err
	}
	explain := func(err error) error { return awsaccess.Explain(err, o.settings.ActRole) }
	if _, err := act.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String(name), PolicyArn: aws.String(denyAll)}); err != nil {
		return explain(fmt.Errorf("attach %s to %s: %w", denyAll, name, err))
	}
	if err := run.Log(ctx, ops.Line{Key: "deny", Level: ops.Change, Text: "Attached " + denyAll + " to IAM user " + name + "."}); err != nil {
		return err
	}
	user, err := readUser(ctx, look, name)
	if err != nil {
		return awsaccess.Explain(err, o.settings.LookRole)
	}
	if user == nil {
		return run.Log(ctx, ops.Line{Key: "gone", Text: "IAM user " + name + " is gone."})
	}
	if was.Tags == nil {
		was.Tags = map[string]string{}
		// IAM doesn't tell tags apart by case, and keeps the last spelling.
		for key, value := range user.Tags {
			if isOurs(key) && user.Tags[tagRequest] != r.ID {
				was.Tags[key] = value
			}
		}
	}
	// Keys that were made since the plan are found here as well.
	for _, k := range user.Keys {
		if k.Active && !slices.Contains(was.Keys, k.ID) {
			was.Keys = append(was.Keys, k.ID)
		}
	}
	if err := run.Remember(ctx, "before", was); err != nil {
		return err
	}
	for _, k := range user.Keys {
		if !k.Active {
			continue
		}
		if err := setKey(ctx, act, name, k.ID, types.StatusTypeInactive); err != nil {
			return explain(err)
		}
		if err := run.Log(ctx, ops.Line{Key: "key " + k.ID, Level: ops.Change, Text: "Deactivated access key " + k.ID + "."}); err != nil {
			return err
		}
	}
	if _, err := act.TagUser(ctx, &iam.TagUserInput{UserName: aws.String(name), Tags: []types.Tag{
		{Key: aws.String(tagRequest), Value: aws.String(r.ID)},
		{Key: aws.String(tagAt), Value: aws.String(was.At.Format(time.RFC3339))},
		{Key: aws.String(tagKeys), Value: aws.String(strings.Join(was.Keys, " "))},
	}}); err != nil {
		return explain(fmt.Errorf("tag %s: %w", name, err))
	}
	if was.Done.IsZero() {
		was.Done = run.Now().UTC()
		if err := run.Remember(ctx, "before", was); err != nil {
			return err
		}
	}
	return o.confirmQuarantine(ctx, run, look, was)
}

// confirmQuarantine reads back that the user has no power any more, and says
// what power may be left elsewhere.
func (o *operation) confirmQuarantine(ctx context.Context, run ops.Run, look *iam.Client, was before) error {
	name := userOf(run.Request())
	user, err := readUser(ctx, look, name)
	if err != nil {
		return awsaccess.Explain(err, o.settings.LookRole)
	}
	var not []string
	if user != nil {
		if !slices.Contains(user.Attached, denyAll) {
			not = append(not, denyAll+" isn't attached")
		}
		for _, k := range user.Keys {
			if k.Active {
				not = append(not, "access key "+k.ID+" is active")
			}
		}
		if user.Tags[tagRequest] != run.Request().ID {
			not = append(not, "the tag "+tagRequest+" isn't there")
		}
	}
	switch {
	case len(not) > 0 && run.Now().Before(was.Done.Add(settle)):
		return ops.Again(2 * time.Second)
	case len(not) > 0:
		return &ops.Error{
			Kind: ops.Unavailable, What: fmt.Sprintf("The quarantine of %s was done but isn't there when it is read back: %s.", name, strings.Join(not, ", ")),
			Next: "Look at the user in the console at once.",
		}
	}
	d, err := kept(run)
	if err != nil {
		return err
	}
	until := was.At.Add(sessionLife)
	text := fmt.Sprintf("%s has no power in this account any more. Role sessions assumed before may live until %s at the latest, and only their accounts can end them.",
		name, until.Format("2 Jan 15:04")+" UTC")
	var roles []string
	for _, role := range d.Roles {
		if role.Last.After(was.At.Add(-sessionLife)) {
			roles = append(roles, role.name())
		}
	}
	if len(roles) > 0 {
		text += " Roles assumed in the 12 hours before: " + strings.Join(roles, ", ") + "."
	} else {
		text += " CloudTrail showed none assumed in the 12 hours before."
	}
	return run.Log(ctx, ops.Line{Key: "powerless", Level: ops.Warning, Text: text})
}

// grace waits, and lets people take it all back.
func (o *operation) grace(ctx context.Context, run ops.Run) error {
	var was before
	if _, err := run.Recall(ctx, "before", &was); err != nil {
		return err
	}
	if was.At.IsZero() {
		return nil // there was nobody to quarantine
	}
	end := was.At.Add(o.settings.Grace)
	left := end.Sub(run.Now())
	if left <= 0 {
		return nil
	}
	if err := run.OfferUndo(ctx, end); err != nil {
		return err
	}
	name := userOf(run.Request())
	if err := run.Log(ctx, ops.Line{Key: "grace", Text: fmt.Sprintf("%s will be removed after %s UTC. Until then a member of the team can put everything back.", name, end.Format("2 Jan 15:04"))}); err != nil {
		return err
	}
	const day = 24 * time.Hour
	switch {
	case o.settings.Grace > 2*day && left > day:
		return ops.Again(left - day)
	case o.settings.Grace > 2*day:
		if err := run.Log(ctx, ops.Line{Key: "reminder", Level: ops.Warning, Text: fmt.Sprintf("Reminder: %s will be removed at %s UTC; that can't be undone.", name, end.Format("2 Jan 15:04"))}); err != nil {
			return err
		}
	}
	return ops.Again(left)
}

// restore puts back exactly what the quarantine changed; deny-all goes last.
func (o *operation) restore(ctx context.Context, run ops.Run) error {
	r := run.Request()
	name := userOf(r)
	var was before
	if _, err := run.Recall(ctx, "before", &was); err != nil {
		return err
	}
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	user, err := readUser(ctx, look, name)
	if err != nil {
		return awsaccess.Explain(err, o.settings.LookRole)
	}
	if user == nil {
		return &ops.Error{Kind: ops.Unavailable, What: fmt.Sprintf("IAM user %s is gone, so it can't be put back.", name)}
	}
	d, err := kept(run)
	if err != nil {
		return err
	}
	if err := d.is(name, user.ID); err != nil {
		return err
	}
	act, err := o.writer(r, "DenyAllAndUndo", "Quarantine")
	if err != nil {
		return err
	}
	explain := func(err error) error { return awsaccess.Explain(err, o.settings.ActRole) }
	for _, k := range user.Keys {
		if k.Active || !slices.Contains(was.Keys, k.ID) {
			continue
		}
		if err := setKey(ctx, act, name, k.ID, types.StatusTypeActive); err != nil {
			return explain(err)
		}
	}
	if err := restoreTags(ctx, act, user, was); err != nil {
		return explain(err)
	}
	if !was.Deny && slices.Contains(user.Attached, denyAll) {
		if _, err := act.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: aws.String(name), PolicyArn: aws.String(denyAll)}); err != nil && !isGone(err) {
			return explain(fmt.Errorf("detach %s from %s: %w", denyAll, name, err))
		}
	}
	return o.confirmRestore(ctx, run, look, was)
}

func isOurs(key string) bool {
	return slices.ContainsFunc(ourTags, func(tag string) bool { return strings.EqualFold(key, tag) })
}

// had tells whether a tag was there, in whatever spelling.
func (b before) had(tag string) bool {
	for key := range b.Tags {
		if strings.EqualFold(key, tag) {
			return true
		}
	}
	return false
}

// tagged tells whether the tags are as they were.
func (b before) tagged(now map[string]string) bool {
	for key, value := range b.Tags {
		if got, ok := now[key]; !ok || got != value {
			return false
		}
	}
	for _, tag := range ourTags {
		if _, ok := now[tag]; ok && !b.had(tag) {
			return false
		}
	}
	return true
}

func restoreTags(ctx context.Context, act *iam.Client, user *User, was before) error {
	var back []types.Tag
	var drop []string
	for key, value := range was.Tags {
		if now, has := user.Tags[key]; !has || now != value {
			back = append(back, types.Tag{Key: aws.String(key), Value: aws.String(value)})
		}
	}
	for _, tag := range ourTags {
		if _, has := user.Tags[tag]; has && !was.had(tag) {
			drop = append(drop, tag)
		}
	}
	if len(back) > 0 {
		if _, err := act.TagUser(ctx, &iam.TagUserInput{UserName: aws.String(user.Name), Tags: back}); err != nil {
			return fmt.Errorf("tag %s: %w", user.Name, err)
		}
	}
	if len(drop) > 0 {
		if _, err := act.UntagUser(ctx, &iam.UntagUserInput{UserName: aws.String(user.Name), TagKeys: drop}); err != nil {
			return fmt.Errorf("untag %s: %w", user.Name, err)
		}
	}
	return nil
}

func (o *operation) confirmRestore(ctx context.Context, run ops.Run, look *iam.Client, was before) error {
	name := userOf(run.Request())
	user, err := readUser(ctx, look, name)
	if err != nil {
		return awsaccess.Explain(err, o.settings.LookRole)
	}
	section := ops.Section{Title: name}
	add := func(text string, holds bool) {
		state := ops.Confirmed
		if !holds {
			state = ops.Missing
		}
		section.Outcomes = append(section.Outcomes, ops.Outcome{Text: text, State: state})
	}
	add(denyAll+" as it was before", user != nil && slices.Contains(user.Attached, denyAll) == was.Deny)
	for _, id := range was.Keys {
		add("access key "+id+" active again", user != nil && slices.ContainsFunc(user.Keys, func(k Key) bool { return k.ID == id && k.Active }))
	}
	add("tags as they were before", user != nil && was.tagged(user.Tags))
	report := ops.Report{Summary: name + " is as before the quarantine.", Sections: []ops.Section{section}}
	if !report.OK() {
		if run.Now().Before(run.Begun().Add(settle)) {
			return ops.Again(2 * time.Second)
		}
		report.Summary = name + " is not as before the quarantine."
	}
	return run.Report(ctx, report)
}

func setKey(ctx context.Context, act *iam.Client, user, key string, status types.StatusType) error {
	_, err := act.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: aws.String(user), AccessKeyId: aws.String(key), Status: status})
	if isGone(err) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return fmt.Errorf("make access key %s %s: %w", key, strings.ToLower(string(status)), err)
	}
	return nil
}

// glance reads of a user what must be known before deny-all is attached; nil if
// there is none.
func glance(ctx context.Context, look *iam.Client, name string) (*User, error) {
	found, err := getUser(ctx, look, name)
	if err != nil || found == nil {
		return nil, err
	}
	if err := readPolicies(ctx, look, found); err != nil {
		if isGone(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("list the policies of %s: %w", name, err)
	}
	return found, nil
}
