//! What there is at an address.

use vox::dynamic::{MethodType, ServiceType};

use crate::connection::{Target, describer, service};
use crate::failure::Failure;
use crate::streams::print;
use crate::text::{quoted, shown};

/// Prints the services: each with the first line that is said of it.
pub(crate) async fn list(target: &Target, json: bool) -> Result<(), Failure> {
    let session = target.connect().await?;
    let listed = describer(&session).await?.services().await.map_err(|error| Failure::Connect(error.to_string()))?;
    for service in listed {
        if json {
            print(&format!("{{\"name\":{},\"docs\":{}}}", quoted(&service.name), quoted(&service.docs)))?;
            continue;
        }
        match service.docs.lines().next() {
            Some(line) => print(&format!("{}  {}", shown(&service.name), shown(line.trim())))?,
            None => print(&shown(&service.name))?,
        }
    }
    session.close("done").await;
    Ok(())
}

/// Prints a service, a method, or all there is.
pub(crate) async fn describe(target: &Target, name: Option<&str>) -> Result<(), Failure> {
    let session = target.connect().await?;
    let describer = describer(&session).await?;
    match name {
        None => {
            let listed = describer.services().await.map_err(|error| Failure::Connect(error.to_string()))?;
            for (index, listed) in listed.iter().enumerate() {
                if index > 0 {
                    print("")?;
                }
                print_service(&service(&describer, &listed.name).await?)?;
            }
        }
        Some(name) => match name.rsplit_once('.') {
            None => print_service(&service(&describer, name).await?)?,
            Some((service_name, method)) => {
                let service = service(&describer, service_name).await?;
                print_method(known(&service, method)?, "")?;
            }
        },
    }
    session.close("done").await;
    Ok(())
}

/// The method of this name.
pub(crate) fn known<'a>(service: &'a ServiceType, method: &str) -> Result<&'a MethodType, Failure> {
    service.method(method).ok_or_else(|| {
        let names: Vec<_> = service.methods().iter().map(|method| shown(method.name())).collect();
        Failure::Usage(format!(
            "`{}` has no method `{}`; it has: {}",
            shown(service.name()),
            shown(method),
            names.join(" ")
        ))
    })
}

fn print_service(service: &ServiceType) -> Result<(), Failure> {
    print_docs(service.docs(), "")?;
    print(&format!("service {}", shown(service.name())))?;
    for method in service.methods() {
        print_method(method, "    ")?;
    }
    Ok(())
}

fn print_method(method: &MethodType, indent: &str) -> Result<(), Failure> {
    print_docs(method.docs(), indent)?;
    let policy = method.policy();
    let mut words = String::new();
    for (is_so, word) in [(policy.idem, "idem "), (policy.persist, "persist ")] {
        if is_so {
            words.push_str(word);
        }
    }
    match method.timeout() {
        Some(timeout) => print(&format!("{indent}{words}{method}  (timeout {timeout:?})"))?,
        None => print(&format!("{indent}{words}{method}"))?,
    }
    Ok(())
}

fn print_docs(docs: &str, indent: &str) -> Result<(), Failure> {
    for line in docs.lines() {
        print(&format!("{indent}// {}", shown(line.trim())))?;
    }
    Ok(())
}
