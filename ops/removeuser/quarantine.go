package removeuser

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// quarantine takes all power from the user, deny-all first. A part that AWS refuses
// keeps no other part from being done. Each call looks first, so the desk may call it
// again at any time; it then finds keys that people made meanwhile.
func (o *operation) quarantine(ctx context.Context, run ops.Run) error {
	r := run.Request()
	name := userOf(r)
	d, err := kept(run)
	if err != nil {
		return err
	}
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	user, unread := glance(ctx, look, name, d.User)
	unread = awsaccess.Explain(unread, o.settings.LookRole)
	if user == nil && unread != nil {
		return unread
	}
	if err := o.notRenamed(ctx, run, d, user); err != nil {
		return err
	}
	if user == nil {
		return run.Log(ctx, ops.Line{Key: "gone", Text: "IAM user " + name + " is gone already."})
	}
	if err := d.is(user); err != nil {
		return err
	}
	was, err := o.begin(ctx, run, d, user)
	if err != nil {
		return err
	}
	q := &lockout{operation: o, run: run, user: user, was: &was}
	if q.act, err = o.writer(r, "", "DenyAllAndUndo", "Quarantine"); err != nil {
		return err
	}
	failed := []error{unread}
	for _, do := range []func(context.Context) error{q.deny, q.deactivate, q.denyOtherwise, q.tag} {
		err := do(ctx)
		if ops.Halted(err) || ctx.Err() != nil {
			return err
		}
		failed = append(failed, awsaccess.Explain(err, o.settings.ActRole))
	}
	if err := worst(ctx, run, failed); err != nil {
		return err
	}
	if was.Done.IsZero() {
		was.Done = run.Now().UTC()
		if err := was.remember(ctx, run); err != nil {
			return err
		}
	}
	return o.confirmQuarantine(ctx, run, look, d, was)
}

// worst is the error among several that a step returns: one that may pass, so that
// the step is tried again, before one that won't. The others are told.
func worst(ctx context.Context, run ops.Run, failed []error) error {
	var last error
	for _, err := range failed {
		switch {
		case err == nil:
			continue
		case last == nil:
			last = err
			continue
		case !ops.IsPassing(last) && ops.IsPassing(err):
			last, err = err, last
		}
		words := ops.Words(err, run.Request().ID)
		if failed := run.Log(ctx, ops.Line{Key: "failed " + words, Level: ops.Failure, Text: words}); failed != nil {
			return failed
		}
	}
	return last
}

// lockout is one call of the quarantine.
type lockout struct {
	*operation
	run  ops.Run
	act  *iam.Client
	user *User
	was  *before
	full bool // IAM attaches no policy more
}

// did tells of something that was done, once for each quarantine.
func (q *lockout) did(ctx context.Context, level ops.Level, text string) error {
	return q.run.Log(ctx, ops.Line{Key: q.was.At.Format(time.RFC3339) + " " + text, Level: level, Text: text})
}

// deny attaches deny-all or, where the plan foresaw that this can't be, sets it as
// permissions boundary.
func (q *lockout) deny(ctx context.Context) error {
	switch {
	case q.user.denied():
		return nil
	case q.user.full():
		return q.bind(ctx)
	}
	q.was.Attached, q.was.Bare = true, false
	if err := q.was.remember(ctx, q.run); err != nil {
		return err
	}
	_, err := q.act.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String(q.user.Name), PolicyArn: aws.String(denyAll)})
	switch {
	case isFull(err):
		q.full = true
		fallthrough
	case wasRefused(err):
		q.was.Attached = false
		err = errors.Join(err, q.was.remember(ctx, q.run))
	}
	if err != nil && q.full {
		return nil // see denyOtherwise
	}
	if err != nil {
		return fmt.Errorf("attach %s to %s: %w", denyAll, q.user.Name, err)
	}
	return q.did(ctx, ops.Change, "Attached "+denyAll+" to IAM user "+q.user.Name+".")
}

// denyOtherwise sets deny-all as permissions boundary where IAM wouldn't attach it
// although the plan hadn't foreseen that. It comes after the keys: this may have to
// be asked about.
func (q *lockout) denyOtherwise(ctx context.Context) error {
	if !q.full {
		return nil
	}
	if err := q.settings.mayBind(q.user); err != nil {
		return err
	}
	return q.bind(ctx)
}

// wasRefused tells whether a call is known not to have been carried out.
func wasRefused(err error) bool {
	return ops.Halted(err) || code(err) != "" && !ops.IsPassing(awsaccess.Explain(err, ""))
}

// bind sets deny-all as permissions boundary.
func (q *lockout) bind(ctx context.Context) error {
	act, err := q.writer(q.run.Request(), q.user.Boundary, "DenyAsBoundary")
	if err != nil {
		return err
	}
	q.was.Bounded, q.was.Boundary, q.was.Bare = true, q.user.Boundary, false
	if err := q.was.remember(ctx, q.run); err != nil {
		return err
	}
	_, err = act.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: aws.String(q.user.Name), PermissionsBoundary: aws.String(denyAll)})
	if wasRefused(err) {
		q.was.Bounded = false
		err = errors.Join(err, q.was.remember(ctx, q.run))
	}
	if err != nil {
		return fmt.Errorf("set %s as permissions boundary of %s: %w", denyAll, q.user.Name, err)
	}
	return q.did(ctx, ops.Change, "Set "+denyAll+" as permissions boundary of IAM user "+q.user.Name+".")
}

// deactivate makes all active access keys inactive.
func (q *lockout) deactivate(ctx context.Context) error {
	var failed error
	for _, k := range q.user.Keys {
		if !k.Active {
			continue
		}
		err := setKey(ctx, q.act, q.user.Name, k.ID, types.StatusTypeInactive)
		if ops.Halted(err) {
			return err
		}
		if err == nil {
			err = q.did(ctx, ops.Change, "Deactivated access key "+k.ID+".")
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// tag marks the quarantine. Without the marks it is one all the same, and can be
// taken back from the run's memory; where only one fits, it is the request's ID.
func (q *lockout) tag(ctx context.Context) error {
	want := q.was.tags(q.run.Request().ID)
	tagged := true
	for _, t := range want {
		tagged = tagged && q.user.Tags[aws.ToString(t.Key)] == aws.ToString(t.Value)
	}
	var err error
	if !tagged {
		for _, some := range [][]types.Tag{want, want[:1]} {
			if _, err = q.act.TagUser(ctx, &iam.TagUserInput{UserName: aws.String(q.user.Name), Tags: some}); err == nil || !isFull(err) && code(err) != "InvalidInput" {
				break
			}
		}
	}
	if ops.Halted(err) {
		return err
	}
	if q.was.Tagged != (err == nil) {
		q.was.Tagged = err == nil
		if err := q.was.remember(ctx, q.run); err != nil {
			return err
		}
	}
	if err != nil {
		words := ops.Words(awsaccess.Explain(err, q.settings.ActRole), q.run.Request().ID)
		return q.did(ctx, ops.Warning, fmt.Sprintf("%s couldn't be tagged as quarantined, and is in quarantine all the same: %s", q.user.Name, words))
	}
	return nil
}

// confirmQuarantine reads back that the user has no power any more, and says
// what power may be left elsewhere.
func (o *operation) confirmQuarantine(ctx context.Context, run ops.Run, look *iam.Client, d data, was before) error {
	name := userOf(run.Request())
	user, err := glance(ctx, look, name, nil)
	if err != nil {
		return awsaccess.Explain(err, o.settings.LookRole)
	}
	var not []string
	if user != nil {
		if !user.denied() {
			not = append(not, denyAll+" isn't attached")
		}
		for _, k := range user.Keys {
			if k.Active {
				not = append(not, "access key "+k.ID+" is active")
			}
		}
		if was.Tagged && user.Tags[tagRequest] != run.Request().ID {
			not = append(not, "the tag "+tagRequest+" isn't there")
		}
	}
	switch {
	case len(not) > 0 && run.Now().Before(was.Done.Add(settle)):
		return ops.Again(2 * time.Second)
	case len(not) > 0:
		return &ops.Error{
			Kind: ops.Unavailable, What: fmt.Sprintf("The quarantine of %s was asked of AWS but isn't there when it is read back: %s.", name, strings.Join(not, ", ")),
			Next: "Look at the user in the console at once.",
		}
	}
	if was.Stood.IsZero() && user != nil {
		was.Stood = run.Now().UTC()
		if err := was.remember(ctx, run); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("%s can't do anything in account %s any more. If the user switched into another account before %s, that session may last until %s, unless it renews itself by assuming roles in turn, and only that account can end it. %s",
		name, d.Account, moment(was.At), moment(was.At.Add(sessionLife)), d.sessions(was.At))
	return run.Log(ctx, ops.Line{Key: "powerless " + was.At.Format(time.RFC3339), Level: ops.Warning, Text: text})
}

// sessions tells which role sessions may be alive at a time, as far as is known.
func (d data) sessions(at time.Time) string {
	var roles []string
	for _, role := range d.Roles {
		if role.Last.After(at.Add(-sessionLife)) {
			roles = append(roles, role.name())
		}
	}
	switch asOf := moment(d.Read); {
	case len(roles) > 0:
		return fmt.Sprintf("CloudTrail showed at %s, for the 12 hours before: %s.", asOf, strings.Join(roles, ", "))
	case d.Unread:
		return "Whether there is one isn't known: CloudTrail couldn't be read in full."
	default:
		return fmt.Sprintf("CloudTrail showed none at %s, for the 12 hours before.", asOf)
	}
}

// lookEvery is how often the run looks, in the time of grace, whether the
// quarantine still stands. A permissions boundary is looked for more often, because
// an apply of Terraform's takes it off.
const (
	lookEvery      = 24 * time.Hour
	lookEveryBound = time.Hour
)

// grace waits, and lets people take it all back.
func (o *operation) grace(ctx context.Context, run ops.Run) error {
	d, err := kept(run)
	if err != nil {
		return err
	}
	user, was, known, err := o.standing(ctx, run)
	end := was.At.Add(d.Grace)
	left := end.Sub(run.Now())
	switch {
	case !known && err == nil:
		return nil // there was nobody to quarantine
	case ops.KindOf(err) == ops.Unavailable && left > 0:
		// The waiting goes on, and so does the looking.
		words := ops.Words(err, run.Request().ID)
		text := fmt.Sprintf("Whether %s is still locked out isn't known now, and is looked at again: %s", userOf(run.Request()), words)
		if err := run.Log(ctx, ops.Line{Key: "unseen " + words, Level: ops.Warning, Text: text}); err != nil {
			return err
		}
		return ops.Again(min(left, lookEveryBound))
	case err != nil:
		return err
	case user == nil:
		return run.Log(ctx, ops.Line{Key: "gone", Level: ops.Warning, Text: "IAM user " + userOf(run.Request()) + " is gone: this run didn't delete it."})
	case left <= 0:
		return nil
	}
	if err := run.OfferUndo(ctx, end); err != nil {
		return err
	}
	only := onlyQuarantines(run.Plan())
	text := fmt.Sprintf("%s has been locked out since %s. Wrong person? Press Restore by %s and everything is as before.", user.Name, moment(was.At), moment(end))
	if only {
		text = fmt.Sprintf("%s has been locked out since %s, and stays in quarantine: this run doesn't remove the user. It looks until %s whether the quarantine stands. Wrong person? Press Restore and everything is as before.", user.Name, moment(was.At), moment(end))
	}
	if err := run.Waiting(ctx, ops.Waiting{For: text, Until: end}); err != nil {
		return err
	}
	if err := run.Log(ctx, ops.Line{Key: "grace " + moment(end), Text: text}); err != nil {
		return err
	}
	wait := min(left, lookEvery)
	if was.Bounded {
		wait = min(left, lookEveryBound)
	}
	const day = 24 * time.Hour
	switch {
	case d.Grace > 2*day && left > day:
		wait = min(wait, left-day)
	case d.Grace > 2*day:
		text := fmt.Sprintf("Reminder: %s will be removed at %s; that can't be undone.", user.Name, moment(end))
		if only {
			text = fmt.Sprintf("Reminder: this run ends at %s, and %s stays in quarantine.", moment(end), user.Name)
		}
		if err := run.Log(ctx, ops.Line{Key: "reminder " + moment(end), Level: ops.Warning, Text: text}); err != nil {
			return err
		}
	}
	return ops.Again(wait)
}
