package removeuser

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

const (
	namesFor = 30 * time.Second // how long reading all names may take
	nameFar  = 3                // how many letters a similar name may differ in
	nameMany = 3                // how many similar names are told
)

// spelled has a request bear the user's name as the service has it.
func spelled(r ops.Request, name string) ops.Request {
	if userOf(r) != name {
		r.Inputs = maps.Clone(r.Inputs)
		r.Inputs["emails"] = []string{name}
	}
	return r
}

// spell is spelled with the name that a plan was made for.
func (d data) spell(r ops.Request) ops.Request {
	switch {
	case d.User != nil:
		return spelled(r, d.User.Name)
	case d.Name != "":
		return spelled(r, d.Name)
	}
	return r
}

// spelledRun is a run whose request bears the name that the plan was made for.
type spelledRun struct {
	ops.Run
	request ops.Request
}

func (r spelledRun) Request() ops.Request { return r.request }

func spellRun(run ops.Run) (ops.Run, error) {
	d, err := kept(run)
	if err != nil {
		return nil, err
	}
	return spelledRun{run, d.spell(run.Request())}, nil
}

// spelling makes a step work with the user's name as the service has it, whatever
// the case in which it was typed: the resources of a session policy are compared
// with case.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func spelling(do func(context.Context, ops.Run) error) func(context.Context, ops.Run) error {
	return func(ctx context.Context, run ops.Run) error {
		run, err := spellRun(run)
		if err != nil {
			return err
		}
		return do(ctx, run)
	}
}

// search reads the user whom a request names, in whatever case; nil if IAM has none.
// A session is for the one spelling of a name, so where that finds nobody, or another
// spelling, the list of all names tells it. names are those, as far as they were needed
// and could be read.
func (o *operation) search(ctx context.Context, r ops.Request) (user *User, names []string, err error) {
	read := func(r ops.Request) (*User, error) {
		client, err := o.reader(r)
		if err != nil {
			return nil, err
		}
		return readUser(ctx, client, userOf(r))
	}
	name := userOf(r)
	user, err = read(r)
	switch {
	case err != nil && !isDenied(err), user != nil && user.Name == name, user == nil && err == nil && r.Shown != nil:
		return user, nil, err
	case user != nil:
		user, err = read(spelled(r, user.Name))
		return user, nil, err
	}
	users, failed := o.everyone(ctx, r)
	for _, u := range users {
		names = append(names, aws.ToString(u.UserName))
	}
	if i := slices.IndexFunc(names, func(n string) bool { return n != name && strings.EqualFold(n, name) }); i >= 0 {
		user, err = read(spelled(r, names[i]))
		return user, names, err
	}
	if err != nil && failed != nil && !slices.Contains(names, name) {
		err = failed // it alone could tell whether that was the reason
	}
	return nil, names, err
}

// notFound says that no user has the name, and which names are similar. That a
// name isn't there proves nothing of the person: it may be misspelled.
func (o *operation) notFound(name string, names []string) error {
	said := &ops.Error{Kind: ops.Invalid, What: fmt.Sprintf("No IAM user is called %s.", name), Next: "Check the spelling."}
	if alike := o.similar(name, names); len(alike) > 0 {
		said.Next = "Check the spelling; similar: " + strings.Join(alike, ", ") + "."
	}
	return said
}

// everyone is the account's users, as far as they are soon read.
func (o *operation) everyone(ctx context.Context, r ops.Request) ([]types.User, error) {
	session, err := o.aws.Session(awsaccess.Stage{
		Role: o.settings.LookRole, Region: globalRegion, Policy: lookPolicy, Only: []string{"FindSimilarNames"}, Values: map[string]string{"user": userOf(r)},
	}, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, namesFor)
	defer cancel()
	var users []types.User
	pages := iam.NewListUsersPaginator(iam.NewFromConfig(session, patient), &iam.ListUsersInput{MaxItems: aws.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return users, fmt.Errorf("list the IAM users: %w", err)
		}
		users = append(users, page.Users...)
	}
	return users, nil
}

// similar are the names nearest to one that was typed, of those that could be meant.
func (o *operation) similar(typed string, names []string) []string {
	local, _, _ := strings.Cut(strings.ToLower(typed), "@")
	far := map[string]int{}
	var near []string
	for _, name := range names {
		lower := strings.ToLower(name)
		if o.settings.checkAddress(lower) != nil {
			continue
		}
		far[name] = distance(strings.ToLower(typed), lower)
		if other, _, _ := strings.Cut(lower, "@"); other == local {
			far[name] = min(far[name], 1) // of another domain
		}
		if far[name] <= nameFar {
			near = append(near, name)
		}
	}
	slices.SortFunc(near, func(a, b string) int { return cmp.Or(cmp.Compare(far[a], far[b]), strings.Compare(a, b)) })
	return near[:min(len(near), nameMany)]
}

// distance is how many letters must be put in, taken out or changed to make one
// word of the other (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := before
			if a[i] != b[j] {
				changed++
			}
			before = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
