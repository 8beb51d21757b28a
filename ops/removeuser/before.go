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
	tagRequest = "removal-request" // the request's ID: the quarantine's mark
	tagAt      = "quarantined-at"
	tagKeys    = "quarantined-keys" // the access keys that were active, and the permissions boundary that deny-all took the place of
)

var ourTags = []string{tagRequest, tagAt, tagKeys}

// settle is how long IAM may take to show a change everywhere.
const settle = 2 * time.Minute

// before is a run's memory of its quarantine: the user's state before, so that
// Restore can put it back exactly, and how far the run has come. The run remembers
// each thing before it does it.
type before struct {
	ID    string    `json:"id,omitempty"`    // the user's unique ID
	At    time.Time `json:"at"`              // when it began; the time of grace counts from here
	Done  time.Time `json:"done,omitzero"`   // when all of it had been asked of IAM
	Stood time.Time `json:"stood,omitzero"`  // when the run read all of it back; from then on a part that is missing was taken away by people
	Undid time.Time `json:"lifted,omitzero"` // when that was seen; the quarantine must begin anew

	Deny     bool              `json:"deny,omitempty"`     // deny-all was attached already
	Attached bool              `json:"attached,omitempty"` // this request attached it
	Bounded  bool              `json:"bounded,omitempty"`  // this request made it the permissions boundary, in place of Boundary
	Boundary string            `json:"boundary,omitempty"` // ARN; empty: there was none
	Keys     []string          `json:"keys,omitempty"`     // that were active
	Tags     map[string]string `json:"tags"`               // earlier values of our tags
	Tagged   bool              `json:"tagged,omitempty"`   // our tags could be set
	Took     string            `json:"took,omitempty"`     // the earlier request whose quarantine this one took over

	Removing bool `json:"removing,omitempty"` // this run has begun to take the user apart
	Bare     bool `json:"bare,omitempty"`     // this run took deny-all off again, last of all
}

// recall is the memory of the quarantine; false: it has not begun.
func recall(ctx context.Context, run ops.Run) (before, bool, error) {
	var was before
	known, err := run.Recall(ctx, "before", &was)
	return was, known, err
}

func (b before) remember(ctx context.Context, run ops.Run) error {
	return run.Remember(ctx, "before", b)
}

// earlier is what an earlier request's quarantine changed, by the tags that it
// left: Restore puts back the state before that one.
func earlier(u *User) (before, bool) {
	if u == nil || u.Tags[tagRequest] == "" || !u.denied() {
		return before{}, false
	}
	at, err := time.Parse(time.RFC3339, u.Tags[tagAt])
	if err != nil {
		return before{}, false // the tags are others'
	}
	was := before{At: at.UTC(), Tags: map[string]string{}, Took: u.Tags[tagRequest], Attached: u.attached(denyAll), Bounded: !u.attached(denyAll)}
	for _, text := range strings.Fields(u.Tags[tagKeys]) {
		if strings.HasPrefix(text, "arn:") {
			was.Boundary = text
		} else {
			was.Keys = append(was.Keys, text)
		}
	}
	return was, true
}

// tags are those that mark the quarantine.
func (b before) tags(request string) []types.Tag {
	kept := b.Keys
	if b.Bounded && b.Boundary != "" {
		kept = append(slices.Clone(kept), b.Boundary)
	}
	tag := func(key, value string) types.Tag { return types.Tag{Key: aws.String(key), Value: aws.String(value)} }
	return []types.Tag{tag(tagRequest, request), tag(tagAt, b.At.Format(time.RFC3339)), tag(tagKeys, strings.Join(kept, " "))}
}

func isOurs(key string) bool {
	return slices.ContainsFunc(ourTags, func(tag string) bool { return strings.EqualFold(key, tag) })
}

// ours are the tags of a user that ours would replace: IAM doesn't tell tags apart
// by case, and keeps the last spelling.
func ours(u *User) map[string]string {
	found := map[string]string{}
	for key, value := range u.Tags {
		if isOurs(key) {
			found[key] = value
		}
	}
	return found
}

// begin finds out what the quarantine of this user is going to change, or goes on
// with one that has begun, and remembers it. One that stood and that people have
// undone is Lifted, and begins anew once people have decided that it should.
func (o *operation) begin(ctx context.Context, run ops.Run, d data, user *User) (before, error) {
	was, known, err := recall(ctx, run)
	if err != nil {
		return was, err
	}
	now := run.Now().UTC()
	switch {
	case !known:
		if was, known = earlier(user); !known {
			was = before{At: now, Deny: user.attached(denyAll), Boundary: user.Boundary, Tags: ours(user)}
		}
	case !was.Undid.IsZero():
		was = was.anew(user, run.Request().ID, now)
	default:
		if err := o.stands(ctx, run, d, &was, user); err != nil {
			return was, err
		}
	}
	was.ID = user.ID
	for _, k := range user.Keys {
		if k.Active && !slices.Contains(was.Keys, k.ID) {
			was.Keys = append(was.Keys, k.ID)
			was.Done, was.Stood = time.Time{}, time.Time{}
		}
	}
	return was, was.remember(ctx, run)
}

// anew is the memory of a quarantine that begins again at a time, after people have
// undone it: what they left of it still is this request's, the rest is how it was before.
func (b before) anew(u *User, request string, at time.Time) before {
	n := before{At: at, Keys: b.Keys, Tags: ours(u), Deny: u.attached(denyAll) && !b.Attached, Attached: u.attached(denyAll) && b.Attached, Boundary: u.Boundary}
	if u.Tags[tagRequest] == request {
		n.Tags = b.Tags
	}
	if b.Bounded && u.Boundary == denyAll {
		n.Bounded, n.Boundary = true, b.Boundary
	}
	return n
}

// undone says what of a quarantine that stood isn't as this request made it.
func (b before) undone(u *User, request string) []string {
	var gone []string
	switch {
	case u.denied() || b.Bare:
	case b.Bounded:
		gone = append(gone, "AWSDenyAll is not the permissions boundary any more")
	default:
		gone = append(gone, "AWSDenyAll is not attached any more")
	}
	for _, k := range u.Keys {
		if k.Active && slices.Contains(b.Keys, k.ID) {
			gone = append(gone, "access key "+k.ID+" is active")
		}
	}
	switch mark := u.Tags[tagRequest]; {
	case !b.Tagged || mark == request:
	case mark == "":
		gone = append(gone, "the tag "+tagRequest+" is gone")
	default:
		gone = append(gone, "the tag "+tagRequest+" names another request, "+mark)
	}
	return gone
}

// stands makes sure that the quarantine is there as this request made it. What is
// missing right after it was read back, IAM may still be showing late.
func (o *operation) stands(ctx context.Context, run ops.Run, d data, was *before, user *User) error {
	if was.Stood.IsZero() {
		return nil // it is still being made
	}
	gone := was.undone(user, run.Request().ID)
	if len(gone) == 0 {
		return nil
	}
	if run.Now().Before(was.Stood.Add(settle)) {
		return ops.Again(10 * time.Second)
	}
	if was.Undid.IsZero() {
		was.Undid = run.Now().UTC()
		if !user.denied() {
			was.Attached, was.Bounded = false, false // a new one isn't this request's
		}
		if err := was.remember(ctx, run); err != nil {
			return err
		}
	}
	return lifted(user, d, gone)
}

func lifted(u *User, d data, gone []string) error {
	active := slices.ContainsFunc(u.Keys, func(k Key) bool { return k.Active })
	what := fmt.Sprintf("%s was put back by hand: %s.", u.Name, strings.Join(gone, ", "))
	switch {
	case u.denied():
		what = fmt.Sprintf("The quarantine of %s was changed by hand: %s. AWSDenyAll still takes all access away.", u.Name, strings.Join(gone, ", "))
	case active || u.Login:
		what += fmt.Sprintf(" %s has access again.", u.Name)
	default:
		what += fmt.Sprintf(" %s isn't locked out any more.", u.Name)
	}
	said := &ops.Error{Kind: ops.Lifted, What: what}
	if d.Source != (source{}) {
		said.Next = fmt.Sprintf("If no person did that, Terraform's apply in %s did: it takes off tags and permissions boundaries that its files don't name.", d.Source.Repository)
	}
	return said
}

// standing looks at the user right now and makes sure that the quarantine stands.
// The user is nil if there is none any more. A run that had nobody to quarantine
// has no memory: known is false.
func (o *operation) standing(ctx context.Context, run ops.Run) (user *User, was before, known bool, err error) {
	if was, known, err = recall(ctx, run); err != nil || !known {
		return nil, was, known, err
	}
	d, err := kept(run)
	if err != nil {
		return nil, was, known, err
	}
	look, err := o.reader(run.Request())
	if err != nil {
		return nil, was, known, err
	}
	if user, err = glance(ctx, look, userOf(run.Request()), nil); err != nil {
		return nil, was, known, awsaccess.Explain(err, o.settings.LookRole)
	}
	if err := o.notRenamed(ctx, run, d, user); err != nil || user == nil {
		return nil, was, known, err
	}
	return user, was, known, o.holds(ctx, run, d, &was, user)
}

// holds is stands, before a step that removes something: it must be the user that
// was shown, and the quarantine must have stood.
func (o *operation) holds(ctx context.Context, run ops.Run, d data, was *before, user *User) error {
	if err := d.is(user); err != nil {
		return err
	}
	if was.Stood.IsZero() || was.ID != user.ID {
		was.Undid = run.Now().UTC()
		if err := was.remember(ctx, run); err != nil {
			return err
		}
		return &ops.Error{Kind: ops.Lifted, What: fmt.Sprintf("It isn't known that %s was ever locked out by this request, so the user isn't removed.", user.Name)}
	}
	return o.stands(ctx, run, d, was, user)
}

// setKey makes an access key active or inactive.
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
