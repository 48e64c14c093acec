//! Charts over the axis of time, as SVG whose colours the page's style replaces by those of light
//! or dark.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;

use super::axis::Tick;

/// The colours, by which the page's style finds what they paint.
pub const TEXT: RGBColor = RGBColor(0x57, 0x60, 0x6a);
const GRID: RGBColor = RGBColor(0xd0, 0xd7, 0xde);

/// A line of a chart.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its colour.
    pub colour: RGBColor,
    /// Its parts, of points in percent of the axis and the measured value; nothing was measured
    /// between two parts.
    pub parts: Vec<Vec<(f64, f64)>>,
}

/// Blue's colour, green's, and that of failures.
pub const BLUE: RGBColor = RGBColor(0x09, 0x69, 0xda);
/// Green's.
pub const GREEN: RGBColor = RGBColor(0x1a, 0x7f, 0x37);
/// That of failures.
pub const RED: RGBColor = RGBColor(0xcf, 0x22, 0x2e);

/// The sizes for a desktop and a phone. That for a desktop has the width of the page's tracks and of
/// the labels on their left, so that a moment stands at the same place in both.
pub const SIZES: [(u32, u32); 2] = [(774, 190), (420, 200)];

/// What failed, as a bar from the bottom: from where to where on the axis, in percent, and its share
/// of the height.
pub type Bar = (f64, f64, f64);

/// A chart of these lines and bars.
#[must_use]
pub fn chart(size: (u32, u32), ticks: &[Tick], lines: &[Line], failed: &[Bar]) -> String {
    let mut svg = String::new();
    let drawn = draw(&mut svg, size, (ticks, lines, failed));
    // A chart in memory fails for numbers alone that are none, and the page says all of them.
    drawn.map_or_else(|_| String::new(), |()| responsive(&svg))
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(
    svg: &mut String,
    size: (u32, u32),
    (ticks, lines, failed): (&[Tick], &[Line], &[Bar]),
) -> Drawn {
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let values = lines.iter().flat_map(|line| line.parts.iter().flatten());
    let most = values.map(|(_, value)| *value).fold(1.0, f64::max) * 1.1;
    let named: Vec<_> = ticks.iter().map(|tick| tick.left).collect();
    let mut chart = ChartBuilder::on(&root)
        .margin_top(8)
        .x_label_area_size(24)
        .y_label_area_size(48)
        .build_cartesian_2d(Named(named), 0.0..most)?;
    let font = ("sans-serif", 12).into_font().color(&TEXT);
    let label = |left: &f64| {
        let tick = ticks.iter().find(|tick| (tick.left - left).abs() < 0.005);
        tick.map(|tick| tick.label.clone()).unwrap_or_default()
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .axis_style(GRID)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .y_labels(4)
        .label_style(font)
        .x_label_formatter(&label)
        .y_label_formatter(&|value| thousands(*value))
        .draw()?;
    for (left, right, share) in failed {
        let bar = [(*left, 0.0), (right.max(left + 0.3), most * share)];
        chart.draw_series([Rectangle::new(bar, RED.filled())])?;
    }
    for line in lines {
        for part in &line.parts {
            let style = line.colour.stroke_width(2);
            chart.draw_series(LineSeries::new(part.iter().copied(), style))?;
            // A part of one point would not be seen.
            if let [point] = part[..] {
                chart.draw_series([Circle::new(point, 2, line.colour.filled())])?;
            }
        }
    }
    root.present()?;
    Ok(())
}

/// The axis from 0 to 100 with the moments that it names.
struct Named(Vec<f64>);

impl Ranged for Named {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let along = f64::from(to - from) * value / 100.0;
        from + along.round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.0.clone()
    }

    fn range(&self) -> Range<f64> {
        0.0..100.0
    }
}

/// A number as an axis shows it.
fn thousands(value: f64) -> String {
    match value {
        value if value >= 10_000.0 => format!("{:.0}k", value / 1000.0),
        value if value.fract() == 0.0 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}

/// The drawing without a size of its own, so that it takes that of the page.
fn responsive(svg: &str) -> String {
    let from = svg.find("<svg ").unwrap_or_default();
    let view = svg.find("viewBox").unwrap_or(from);
    format!("<svg aria-hidden=\"true\" {}", &svg[view..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_has_its_lines_and_fits_its_page() {
        let line = Line {
            colour: BLUE,
            parts: vec![vec![(0.0, 10.0), (50.0, 600.0)], vec![(70.0, 1.0)]],
        };
        let ticks = [Tick {
            left: 50.0,
            label: "09:30".to_owned(),
        }];
        let svg = chart(SIZES[0], &ticks, &[line], &[(10.0, 12.0, 0.5)]);
        assert!(
            svg.starts_with("<svg aria-hidden=\"true\" viewBox="),
            "{svg}"
        );
        // Two lines, and a point for the part of one.
        assert!(svg.matches("#0969DA").count() >= 3, "{svg}");
        assert!(svg.contains("<circle"), "{svg}");
        assert!(svg.contains("09:30") && svg.contains("#CF222E"), "{svg}");
        assert!(!svg.contains("width=\"920\""), "{svg}");
    }
}
