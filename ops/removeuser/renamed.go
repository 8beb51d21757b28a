package removeuser

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// renamed finds the name under which the user of an ID is now; empty: there is no such
// user, or still under the name that the request bears. People may rename a user, who
// keeps the ID and all that hangs on it: that nobody has the old name any more doesn't
// tell that the user is gone.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html
func (o *operation) renamed(ctx context.Context, r ops.Request, id string) (string, error) {
	users, err := o.everyone(ctx, r)
	for _, u := range users {
		if name := aws.ToString(u.UserName); aws.ToString(u.UserId) == id && name != userOf(r) {
			return name, nil
		}
	}
	return "", awsaccess.Explain(err, o.settings.LookRole)
}

// notRenamed stops a run whose user has another name now: people decide what becomes of
// the user. It is asked where the name that was shown is nobody's, or another user's.
func (o *operation) notRenamed(ctx context.Context, run ops.Run, d data, found *User) error {
	if d.User == nil || found != nil && found.ID == d.User.ID {
		return nil
	}
	r := run.Request()
	to, err := o.renamed(ctx, r, d.User.ID)
	if err != nil || to == "" {
		return err
	}
	was, known, err := recall(ctx, run)
	if err != nil {
		return err
	}
	said := &ops.Error{
		Kind: ops.Refused, What: fmt.Sprintf("IAM user %s (%s) was renamed to %s, so this run doesn't remove the user.", d.User.Name, d.User.ID, to),
		Next: fmt.Sprintf("If the user is to go, ask for the removal of %s, or give the user the old name again and run it again.", to),
	}
	if !known {
		return said
	}
	state, err := o.stateOf(ctx, spelled(r, to), was)
	if err != nil {
		return err
	}
	said.What += " " + state
	if !was.Removing {
		said.Next += fmt.Sprintf(" Otherwise press Restore: it gives the access back to %s.", to)
	}
	return said
}

// stateOf tells whether a user who was renamed is still in this request's quarantine.
func (o *operation) stateOf(ctx context.Context, r ops.Request, was before) (string, error) {
	look, err := o.reader(r)
	if err != nil {
		return "", err
	}
	u, err := glance(ctx, look, userOf(r), nil)
	if err != nil {
		return "", awsaccess.Explain(err, o.settings.LookRole)
	}
	switch {
	case u == nil || u.ID != was.ID:
		return "", ops.Again(o.settings.Poll) // it is being changed right now
	case len(was.undone(u, r.ID)) > 0:
		return fmt.Sprintf("The quarantine isn't as this run made it: %s.", strings.Join(was.undone(u, r.ID), ", ")), nil
	}
	return u.Name + " is still in quarantine.", nil
}
