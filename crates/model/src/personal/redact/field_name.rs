//! Which names of fields say that personal data is in them.

use super::Redaction;

/// Names without capitals, `_` and `-`.
const FIELD_NAMES: &[(&str, Redaction)] = &[
    ("email", Redaction::Email),
    ("emailaddress", Redaction::Email),
    ("mail", Redaction::Email),
    ("phone", Redaction::Phone),
    ("phonenumber", Redaction::Phone),
    ("mobile", Redaction::Phone),
    ("mobilenumber", Redaction::Phone),
    ("telephone", Redaction::Phone),
    ("fax", Redaction::Phone),
    ("callernumber", Redaction::Phone),
    ("name", Redaction::Name),
    ("firstname", Redaction::Name),
    ("lastname", Redaction::Name),
    ("fullname", Redaction::Name),
    ("givenname", Redaction::Name),
    ("familyname", Redaction::Name),
    ("surname", Redaction::Name),
    ("ssn", Redaction::Ssn),
    ("socialsecuritynumber", Redaction::Ssn),
    ("address", Redaction::Address),
    ("homeaddress", Redaction::Address),
    ("postaladdress", Redaction::Address),
    ("billingaddress", Redaction::Address),
    ("shippingaddress", Redaction::Address),
    ("streetaddress", Redaction::Whole),
    ("street", Redaction::Whole),
    ("creditcard", Redaction::CreditCard),
    ("creditcardnumber", Redaction::CreditCard),
    ("cardnumber", Redaction::CreditCard),
    ("iban", Redaction::Iban),
    ("bankaccount", Redaction::Whole),
    ("birthdate", Redaction::Whole),
    ("dateofbirth", Redaction::Whole),
    ("dob", Redaction::Whole),
    ("passport", Redaction::Whole),
    ("passportnumber", Redaction::Whole),
    ("password", Redaction::Whole),
    ("secret", Redaction::Whole),
];

/// How a field of this name is shown, if the name says that it is personal: `firstName`,
/// `first_name` and `First-Name` are one. Of a name that is a path, like `user.email` or
/// `/actor/email`, the last step counts.
pub fn redaction_of_field(name: &str) -> Option<Redaction> {
    let last = name.rsplit(['.', '/']).next().unwrap_or_default();
    let plain: String = last
        .chars()
        .filter(|letter| !matches!(letter, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect();
    FIELD_NAMES.iter().find(|(known, _)| *known == plain).map(|(_, redaction)| *redaction)
}

#[cfg(test)]
mod tests {
    use super::{FIELD_NAMES, Redaction, redaction_of_field};

    #[test]
    fn spellings_of_a_name_are_one() {
        for name in
            ["firstName", "first_name", "First-Name", "FIRSTNAME", "/a/first_name", "a.firstName"]
        {
            assert_eq!(redaction_of_field(name), Some(Redaction::Name), "{name}");
        }
        assert_eq!(redaction_of_field("username_count"), None);
        assert_eq!(redaction_of_field(""), None);
    }

    #[test]
    fn names_stand_once_and_can_be_met() {
        for (index, (name, _)) in FIELD_NAMES.iter().enumerate() {
            assert!(redaction_of_field(name).is_some(), "{name}");
            assert!(FIELD_NAMES.iter().skip(index + 1).all(|(other, _)| other != name), "{name}");
        }
    }
}
