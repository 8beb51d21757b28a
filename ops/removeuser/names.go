package removeuser

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

const (
	namePages = 10               // of 1,000 names each, which a search for similar ones reads at most
	nameFor   = 10 * time.Second // how long it may take
	nameFar   = 3                // how many letters a similar name may differ in
	nameMany  = 3                // how many similar names are told
)

// notFound says that no user has the name, and which names are similar. That a
// name isn't there proves nothing of the person: it may be misspelled.
func (o *operation) notFound(ctx context.Context, r ops.Request, name string) error {
	said := &ops.Error{Kind: ops.Invalid, What: fmt.Sprintf("No IAM user is called %s.", name), Next: "Check the spelling."}
	names, err := o.names(ctx, r)
	if err != nil {
		said.Err = err
		return said
	}
	if other := inAnotherCase(name, names); other != nil {
		return other
	}
	if alike := o.similar(name, names); len(alike) > 0 {
		said.Next = "Check the spelling; similar: " + strings.Join(alike, ", ") + "."
	}
	return said
}

// inAnotherCase says that a user has the name in another spelling, if one has: IAM
// takes it for the same.
func (o *operation) inAnotherCase(ctx context.Context, r ops.Request, name string) error {
	names, err := o.names(ctx, r)
	if err != nil {
		return nil
	}
	return inAnotherCase(name, names)
}

func inAnotherCase(name string, names []string) error {
	for _, other := range names {
		if other != name && strings.EqualFold(other, name) {
			return &ops.Error{
				Kind: ops.Invalid, What: fmt.Sprintf("No IAM user is called %s exactly. It is called %s in IAM.", name, other),
				Next: "The bot removes only users whose names are in lower case: remove this one by hand.",
			}
		}
	}
	return nil
}

// names are the names of the account's users, as far as they are soon read.
func (o *operation) names(ctx context.Context, r ops.Request) ([]string, error) {
	session, err := o.aws.Session(awsaccess.Stage{
		Role: o.settings.LookRole, Region: globalRegion, Policy: lookPolicy, Only: []string{"FindSimilarNames"}, Values: map[string]string{"user": userOf(r)},
	}, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, nameFor)
	defer cancel()
	var names []string
	pages := iam.NewListUsersPaginator(iam.NewFromConfig(session, patient), &iam.ListUsersInput{MaxItems: aws.Int32(1000)})
	for n := 0; n < namePages && pages.HasMorePages(); n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the IAM users: %w", err)
		}
		for _, u := range page.Users {
			names = append(names, aws.ToString(u.UserName))
		}
	}
	return names, nil
}

// similar are the names nearest to one that was typed, of those that could be meant.
func (o *operation) similar(typed string, names []string) []string {
	local, _, _ := strings.Cut(typed, "@")
	far := map[string]int{}
	var near []string
	for _, name := range names {
		lower := strings.ToLower(name)
		if o.settings.checkAddress(lower) != nil {
			continue
		}
		far[name] = distance(typed, lower)
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
