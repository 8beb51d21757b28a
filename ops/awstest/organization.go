package awstest

import (
	"cmp"
	"encoding/base64"
	"regexp"
	"slices"
	"time"
)

// Organization is the Organization that accounts belong to. Its management account is the Cloud's own unless SetManagement
// says otherwise.
type Organization struct {
	cloud      *Cloud
	id         string
	management string
	delegates  []string
	accounts   []*orgAccount // in the order they were added
}

type orgAccount struct {
	id, name, email string
	joined          time.Time
}

// Organization is the one that there is; the first call makes it.
func (c *Cloud) Organization() *Organization {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.organization == nil {
		c.organization = &Organization{cloud: c, id: "o-" + hexSum([]byte(c.opts.Account))[:10], management: c.opts.Account}
		c.organization.add(c.opts.Account, "management", "aws-root@example.org")
	}
	return c.organization
}

var accountID = regexp.MustCompile(`^\d{12}$`)

// AddAccount adds an account, or gives the one with this ID another name and address.
func (o *Organization) AddAccount(id, name, email string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	o.add(id, name, email)
}

// SetManagement makes an account the management account; it is added where it isn't there.
func (o *Organization) SetManagement(id string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	o.management = id
	if o.account(id) == nil {
		o.add(id, "management", "aws-root@example.org")
	}
}

// Delegate makes member accounts delegated administrators, which may read as the management account does.
func (o *Organization) Delegate(ids ...string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	o.delegates = append(o.delegates, ids...)
}

func (o *Organization) add(id, name, email string) {
	if !accountID.MatchString(id) || name == "" || email == "" {
		o.cloud.problem("add account %q %q %q: an account has an ID of twelve digits, a name and an e-mail address", id, name, email)
	}
	if a := o.account(id); a != nil {
		a.name, a.email = name, email
		return
	}
	o.accounts = append(o.accounts, &orgAccount{id, name, email, whole(o.cloud.now())})
	o.cloud.touch()
}

func (o *Organization) account(id string) *orgAccount {
	return find(o.accounts, func(a *orgAccount) bool { return a.id == id })
}

func (o *Organization) arn(account string) string {
	return "arn:aws:organizations::" + o.management + ":account/" + o.id + "/" + account
}

// organizationsService is AWS Organizations. It is global: whatever Region a call is signed for, policies see us-east-1.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html
// https://docs.aws.amazon.com/organizations/latest/APIReference/Welcome.html
func organizationsService() *service {
	w := jsonWire("Message")
	w.throttled = "TooManyRequestsException"
	return &service{
		name:   "organizations",
		wire:   w,
		action: targetAction("AWSOrganizationsV20161128"),
		calls: map[string]call{
			"DescribeAccount": orgCall("DescribeAccount", func(o *Organization, in *describeAccountInput) []string {
				return []string{o.arn(in.AccountId)}
			}, describeAccount),
			"ListAccounts": orgCall("ListAccounts", func(*Organization, *listAccountsInput) []string { return []string{"*"} }, listAccounts),
		},
	}
}

// orgCall makes an action of the API, which only the management account and delegated administrators may use.
func orgCall[In any](name string, on func(*Organization, *In) []string, run func(*request, *Organization, *In) (any, error)) call {
	made := jsonCall(name,
		func(r *request, in *In) []string { return on(cmp.Or(r.cloud.organization, &Organization{}), in) },
		func(r *request, in *In) (any, error) {
			o := r.cloud.organization
			switch {
			case o == nil || o.account(r.who.account) == nil:
				return nil, fail(400, "AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
			case r.who.account != o.management && !slices.Contains(o.delegates, r.who.account):
				return nil, fail(400, "AccessDeniedException", "You don't have permissions to access this resource.")
			}
			return run(r, o, in)
		})
	made.keys = func(*request, any) conditionKeys { return conditionKeys{"aws:requestedregion": {"us-east-1"}} }
	return made
}

// answer is the account as the API shows it. Status is retired but still there.
func (a *orgAccount) answer(o *Organization) answer {
	method := "CREATED"
	if a.id == o.management {
		method = "INVITED"
	}
	return answer{
		"Id": a.id, "Arn": o.arn(a.id), "Name": a.name, "Email": a.email, "State": "ACTIVE", "Status": "ACTIVE",
		"JoinedMethod": method, "JoinedTimestamp": a.joined.Unix(),
	}
}

type describeAccountInput struct{ AccountId string }

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeAccount.html
func describeAccount(_ *request, o *Organization, in *describeAccountInput) (any, error) {
	if !accountID.MatchString(in.AccountId) {
		return nil, fail(400, "InvalidInputException", "You provided a value that does not match the required pattern.").
			with("Reason", "INVALID_PATTERN")
	}
	a := o.account(in.AccountId)
	if a == nil {
		return nil, fail(400, "AccountNotFoundException", "You specified an account that doesn't exist.")
	}
	return answer{"Account": a.answer(o)}, nil
}

type listAccountsInput struct {
	MaxResults *int
	NextToken  string
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
func listAccounts(r *request, o *Organization, in *listAccountsInput) (any, error) {
	size := 20
	if in.MaxResults != nil {
		if size = *in.MaxResults; size < 1 || size > 20 {
			return nil, fail(400, "InvalidInputException", "You specified a MaxResults out of range.").with("Reason", "MAX_LIMIT_EXCEEDED")
		}
	}
	if r.cloud.pageSize > 0 {
		size = min(size, r.cloud.pageSize)
	}
	rest := o.accounts
	if in.NextToken != "" {
		last, err := base64.StdEncoding.DecodeString(in.NextToken)
		at := slices.IndexFunc(rest, func(a *orgAccount) bool { return a.id == string(last) })
		if err != nil || at < 0 {
			return nil, fail(400, "InvalidInputException", "You specified an invalid NextToken.").with("Reason", "INVALID_NEXT_TOKEN")
		}
		rest = rest[at+1:]
	}
	items := []answer{}
	for _, a := range rest[:min(size, len(rest))] {
		items = append(items, a.answer(o))
	}
	out := answer{"Accounts": items}
	if len(rest) > size {
		out["NextToken"] = base64.StdEncoding.EncodeToString([]byte(rest[size-1].id))
	}
	return out, nil
}
