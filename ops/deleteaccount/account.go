package deleteaccount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops"
)

// Account is what Organizations says of an account.
type Account struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Email  string            `json:"email"`
	State  string            `json:"state"` // "ACTIVE", …; "unknown" where AWS says nothing
	Joined time.Time         `json:"joined"`
	Parent string            `json:"parent"` // ID of the organizational unit or root that it is in
	Path   []Unit            `json:"path"`   // from the root down to that
	Tags   map[string]string `json:"tags,omitempty"`
}

// Unit is a root or an organizational unit.
type Unit struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (u Unit) String() string { return u.Name + " (" + u.ID + ")" }

// String names an account so that no other can be meant.
func (a *Account) String() string { return a.Name + " (" + a.ID + ")" }

// where is the path in words.
func (a *Account) where() string {
	var names []string
	for _, u := range a.Path {
		names = append(names, u.Name)
	}
	return strings.Join(names, " / ") + " (" + a.Parent + ")"
}

// parent is the unit that the account is in.
func (a *Account) parent() Unit { return a.Path[len(a.Path)-1] }

// tagged finds the account's tag of a key and value, without case and the white space
// around them: AWS keeps tags as people typed them, "True" and "true", and what the
// settings protect is better protected once too often.
func (a *Account) tagged(key, value string) (tag string, is bool) {
	for _, tag := range slices.Sorted(maps.Keys(a.Tags)) {
		if same(tag, key) && same(a.Tags[tag], value) {
			return tag, true
		}
	}
	return "", false
}

// same compares two texts without case and the white space around them.
func same(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

const unknown = "unknown"

// The states of an account that something depends on. AWS itself has suspended an
// account that is SUSPENDED: it isn't closed.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_account_state.html
const (
	active    = string(types.AccountStateActive)
	pending   = string(types.AccountStatePendingClosure)
	closed    = string(types.AccountStateClosed)
	suspended = string(types.AccountStateSuspended)
)

// gone tells whether the account is closed: AWS keeps it for 90 days as CLOSED.
func (a *Account) gone() bool { return a.State == closed }

// state is an account's State; Status, which AWS has retired, counts only where
// there is none. Status has no CLOSED, and calls a closed account SUSPENDED.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
func state(a types.Account) string {
	if a.State == "" && a.Status == types.AccountStatusSuspended {
		return closed
	}
	return cmp.Or(string(a.State), string(a.Status), unknown)
}

// stopped refuses an account that AWS has suspended; nil: AWS has not.
func (a *Account) stopped() error {
	if a.State != suspended {
		return nil
	}
	return &ops.Error{
		Kind: ops.Refused, What: fmt.Sprintf("AWS has suspended account %s: its state is SUSPENDED, which isn't CLOSED. The bot closes active accounts only.", a),
		Next: "Ask AWS's support why AWS suspended it, and ask for the closing again once its state is ACTIVE.",
	}
}

// describe reads an account by itself; nil if there is none.
func describe(ctx context.Context, client *organizations.Client, id string) (*Account, error) {
	out, err := client.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: &id})
	if _, none := errors.AsType[*types.AccountNotFoundException](err); none {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read account %s: %w", id, err)
	}
	a := out.Account
	return &Account{
		ID: aws.ToString(a.Id), Name: aws.ToString(a.Name), Email: aws.ToString(a.Email), State: state(*a), Joined: aws.ToTime(a.JoinedTimestamp).UTC(),
	}, nil
}

// readAccount reads an account, where it is and its tags; nil if there is none.
func readAccount(ctx context.Context, client *organizations.Client, id string) (*Account, error) {
	a, err := describe(ctx, client, id)
	if a == nil || err != nil {
		return nil, err
	}
	return a, locate(ctx, client, a)
}

// find reads where an account is.
func find(ctx context.Context, client *organizations.Client, a *Account) error {
	path, err := readPath(ctx, client, a.ID)
	if err != nil {
		return err
	}
	a.Path = path
	a.Parent = a.parent().ID
	return nil
}

// locate reads where an account is, and its tags.
func locate(ctx context.Context, client *organizations.Client, a *Account) error {
	if err := find(ctx, client, a); err != nil {
		return err
	}
	a.Tags = map[string]string{}
	pages := organizations.NewListTagsForResourcePaginator(client, &organizations.ListTagsForResourceInput{ResourceId: &a.ID})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list the tags of account %s: %w", a.ID, err)
		}
		for _, tag := range page.Tags {
			a.Tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
	}
	return nil
}

// deepest is more than the levels of units that Organizations allows, which is five.
const deepest = 10

// readPath reads what an account or a unit is in, from the root down.
func readPath(ctx context.Context, client *organizations.Client, id string) ([]Unit, error) {
	var path []Unit
	for child := id; len(path) < deepest; {
		var parents []types.Parent
		pages := organizations.NewListParentsPaginator(client, &organizations.ListParentsInput{ChildId: &child})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("look where %s is: %w", child, err)
			}
			parents = append(parents, page.Parents...)
		}
		if len(parents) != 1 {
			return nil, &ops.Error{Kind: ops.Unavailable, What: fmt.Sprintf("AWS Organizations says that %s is in %d places.", child, len(parents))}
		}
		unit := Unit{ID: aws.ToString(parents[0].Id), Name: "Root"}
		if parents[0].Type == types.ParentTypeOrganizationalUnit {
			var err error
			if unit, err = readUnit(ctx, client, unit.ID); err != nil {
				return nil, err
			}
		}
		path = append([]Unit{unit}, path...)
		if parents[0].Type == types.ParentTypeRoot {
			return path, nil
		}
		child = unit.ID
	}
	return nil, fmt.Errorf("%s is in more than %d organizational units", id, deepest)
}

// readUnit reads the name of a unit.
func readUnit(ctx context.Context, client *organizations.Client, id string) (Unit, error) {
	out, err := client.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: &id})
	if err != nil {
		return Unit{}, fmt.Errorf("read organizational unit %s: %w", id, err)
	}
	return Unit{ID: id, Name: aws.ToString(out.OrganizationalUnit.Name)}, nil
}
